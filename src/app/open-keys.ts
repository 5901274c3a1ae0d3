import type { Clock } from '../kernel/index.ts'
import { inspectStore, type KeyCheckRow, type Store, type StoreOptions } from '../store/index.ts'
import type { VaultRecord } from '../telemetry/index.ts'
import {
  createVault,
  type EnvironmentVariables,
  holdKeyRing,
  type KeyRing,
  type KeyRingHolder,
  keysOf,
  openKeyRing,
  sealingWith,
  sealKeyCheck,
  type Vault,
  type VaultOptions,
  verifyKeyChecks,
  verifySealedWith,
} from '../vault/index.ts'
import { chooseSealingKey } from './key-rotation/sealing-key-plan.ts'
import { livingNodes } from './nodes.ts'

export interface OpenedKeys {
  /** What is in use, and can be replaced while the server runs. */
  readonly keyRing: KeyRingHolder
  /** The keys in the order of `vault.key`. */
  readonly wanted: KeyRing
  readonly vault: Vault
  /** Writes down, once the store is open, how the keys in use can be recognised. */
  noteKeys(store: Store): Promise<void>
}

export interface OpenKeysDeps {
  readonly clock: Clock
  readonly variables: EnvironmentVariables
  readonly record: VaultRecord
}

/**
 * Opens the key ring and proves it against the store before one byte of the store is changed: a
 * wrong or missing key must not touch anything. A key file is made only for an empty store.
 */
export async function openKeys(
  config: { readonly store: StoreOptions; readonly vault: VaultOptions },
  { clock, variables, record }: OpenKeysDeps,
  signal: AbortSignal,
): Promise<OpenedKeys> {
  const inspection = await inspectStore(config.store, signal)
  const { keyChecks: known, sealedWith } =
    inspection.kind === 'present' ? inspection : { keyChecks: [], sealedWith: [] }
  const wanted = await openKeyRing(config.vault, {
    environment: variables,
    mayCreate: known.length === 0 && sealedWith.length === 0,
    record,
    signal,
  })
  const keyRing = holdKeyRing(wanted)
  verifyKeyChecks(wanted, known.map(toKeyCheck))
  verifySealedWith(wanted, sealedWith)
  return {
    ...{ keyRing, wanted },
    vault: createVault(keyRing),
    noteKeys: async (store) => {
      // Other nodes may run with keys of their own still: they have to open what this one seals.
      const others = store.engine === 'postgres' ? await livingNodes(store) : []
      const knownIds = known.map(({ key_id }) => key_id)
      const sealing = chooseSealingKey(idsOf(wanted), { others, known: knownIds })
      keyRing.replace(sealingWith(wanted, sealing))
      if (knownIds.includes(sealing)) return
      await noteKeyCheck(store, keyRing, clock)
      await standBackForOthers(store, keyRing, sealing)
    },
  }
}

/** Writes down how the key that seals can be recognised. Before the first secret is sealed with it. */
export async function noteKeyCheck(
  { db }: Pick<Store, 'db'>,
  keyRing: KeyRing,
  clock: Clock,
): Promise<void> {
  const { keyId, sealed } = sealKeyCheck(createVault(keyRing))
  await db
    .insertInto('key_checks')
    .values({ key_id: keyId, sealed, created_at: clock.now().getTime() })
    .onConflict((conflict) => conflict.column('key_id').doNothing())
    .execute()
}

/** Throws VaultError if the ring cannot open all that was ever sealed in this store. */
export async function proveKeys({ db }: Pick<Store, 'db'>, keyRing: KeyRing): Promise<void> {
  const rows = await db.selectFrom('key_checks').selectAll().execute()
  verifyKeyChecks(keyRing, rows.map(toKeyCheck))
}

/** The ids of the keys that every node had to have when it started. */
export async function knownKeys({ db }: Pick<Store, 'db'>): Promise<readonly string[]> {
  const rows = await db.selectFrom('key_checks').select('key_id').execute()
  return rows.map(({ key_id }) => key_id)
}

/** The ids of a ring's keys, the one that seals first. */
export function idsOf(keyRing: KeyRing): readonly [string, ...string[]] {
  const others = keysOf(keyRing).slice(1)
  return [keyRing.current.id, ...others.map(({ id }) => id)]
}

/**
 * Two nodes that start at once on an empty database may each have made a key of their own. Nothing
 * is sealed yet: whoever sees the other's key takes its own mark back, and ends.
 */
async function standBackForOthers(store: Store, keyRing: KeyRing, keyId: string): Promise<void> {
  try {
    await proveKeys(store, keyRing)
  } catch (error) {
    await store.db.deleteFrom('key_checks').where('key_id', '=', keyId).execute()
    throw error
  }
}

function toKeyCheck({ key_id, sealed }: KeyCheckRow): { keyId: string; sealed: Buffer } {
  return { keyId: key_id, sealed }
}
