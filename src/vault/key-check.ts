import { type SealedBytes, toSealedBytes } from './envelope.ts'
import { VaultError } from './errors.ts'
import type { KeyRing } from './key-ring.ts'
import type { SealContext } from './seal-context.ts'
import { createVault, type Vault } from './vault.ts'

/** A known value sealed with one key: whoever opens it has the key of this database. */
export interface KeyCheck {
  readonly keyId: string
  readonly sealed: Buffer
}

/** Seals the known value with the current key, to be stored before the first secret is. */
export function sealKeyCheck(vault: Vault): KeyCheck & { readonly sealed: SealedBytes } {
  const keyId = vault.currentKeyId
  return { keyId, sealed: vault.seal(KNOWN_VALUE, contextOf(keyId)) }
}

/**
 * Makes sure that the ring opens everything in a database, given its key checks, before anything is
 * changed there. No check at all means a new database. Throws `vault/wrong-key` when none of the
 * keys fits or a check is damaged, `vault/missing-key` when only some fit.
 */
export function verifyKeyChecks(keyRing: KeyRing, checks: readonly KeyCheck[]): void {
  const missing = checks.filter(({ keyId }) => !keyRing.byId.has(keyId)).map(({ keyId }) => keyId)
  const given = [...keyRing.byId.values()].map(({ id, source }) => `${id} (${source})`).join(', ')
  if (missing.length > 0 && missing.length === checks.length) {
    throw new VaultError(
      'vault/wrong-key',
      `The database is sealed with key ${missing.join(', ')}, but vault.key gives ${given}.`,
      { fix: 'Point vault.key to the key that this database was made with; nothing was changed.' },
    )
  }
  if (missing.length > 0) {
    throw new VaultError(
      'vault/missing-key',
      `Some of the database is sealed with key ${missing.join(', ')}, but vault.key gives only ${given}.`,
      { fix: 'Add the missing key to vault.key, after a comma; nothing was changed.' },
    )
  }
  const vault = createVault(keyRing)
  for (const { keyId, sealed } of checks) openKeyCheck(vault, keyId, sealed)
}

/**
 * Makes sure that the ring holds every key under which a secret rests. The checks do not say it all:
 * a node that was stopped while the others rotated may have sealed one more under the old key, whose
 * check is gone. Throws `vault/missing-key`.
 */
export function verifySealedWith(keyRing: KeyRing, keyIds: readonly string[]): void {
  const missing = keyIds.filter((id) => !keyRing.byId.has(id))
  if (missing.length === 0) return
  const given = [...keyRing.byId.values()].map(({ id, source }) => `${id} (${source})`).join(', ')
  throw new VaultError(
    'vault/missing-key',
    `Secrets in the database are sealed with key ${missing.join(', ')}, but vault.key gives only ${given}.`,
    {
      fix: 'Add the missing key to vault.key, after a comma, and run: postern key rotate. Nothing was changed.',
    },
  )
}

function openKeyCheck(vault: Vault, keyId: string, sealed: Buffer): void {
  try {
    vault.open(toSealedBytes(sealed), contextOf(keyId)).fill(0)
  } catch (cause) {
    throw damaged(keyId, cause)
  }
}

function damaged(keyId: string, cause: unknown): VaultError {
  return new VaultError('vault/wrong-key', `The check value of key ${keyId} does not open.`, {
    cause,
    fix: 'The database is damaged: restore it from a backup; nothing was changed.',
  })
}

const KNOWN_VALUE = Buffer.from('postern')

function contextOf(keyId: string): SealContext {
  return { purpose: 'key-check', owner: keyId, version: 1 }
}
