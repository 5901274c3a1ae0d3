import { dirname, resolve } from 'node:path'
import { dataDirectory, inspectStore } from '../../store/index.ts'
import { openKeyRing, VaultError, verifyKeyChecks, verifySealedWith } from '../../vault/index.ts'
import type { DoctorCheck, DoctorDeps, Finding } from './check.ts'

/** The master key: is it there, is it ours alone, and does it open this database? */
export function keyCheck({ config, variables }: DoctorDeps): DoctorCheck {
  return {
    name: 'master key',
    run: async (signal) => {
      const inspection = await inspectStore(config.store, signal)
      const { keyChecks: known, sealedWith } =
        inspection.kind === 'present' ? inspection : { keyChecks: [], sealedWith: [] }
      try {
        const ring = await openKeyRing(config.vault, {
          environment: variables,
          mayCreate: false,
          // Nothing is made here, so nothing needs to be written down.
          record: { keyFileCreated: () => undefined },
          signal,
        })
        verifyKeyChecks(
          ring,
          known.map(({ key_id, sealed }) => ({ keyId: key_id, sealed })),
        )
        verifySealedWith(ring, sealedWith)
      } catch (error) {
        const isNew = known.length === 0 && sealedWith.length === 0
        if (isNew && isMissingFile(error, config)) return TO_BE_MADE
        throw error
      }
      const seen = known.length === 0 ? 'readable' : 'opens this database'
      return isBesideTheData(config) ? { ...BESIDE, seen: `${seen}, ${BESIDE.seen}` } : ok(seen)
    },
  }
}

function isMissingFile(error: unknown, { vault }: DoctorDeps['config']): boolean {
  const isMissing = error instanceof VaultError && error.code === 'vault/missing-key'
  return isMissing && vault.key[0]?.scheme === 'file'
}

/** Who steals the folder has the key as well. */
function isBesideTheData({ vault, store }: DoctorDeps['config']): boolean {
  const directory = dataDirectory(store)
  return vault.key.some(
    ({ scheme, rest }) => scheme === 'file' && dirname(resolve(rest)) === directory,
  )
}

function ok(seen: string): Finding {
  return { verdict: 'ok', seen }
}

const TO_BE_MADE = ok('no file yet; it is made at the first start')
const BESIDE = {
  verdict: 'warn',
  seen: 'but it lies beside the database',
  fix: 'In production keep it elsewhere: set vault.key to a file of another disk, env: or command:.',
} as const
