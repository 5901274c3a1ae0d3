import type { Clock } from '../kernel/index.ts'
import { inspectStore, type KeyCheckRow, type Store, type StoreOptions } from '../store/index.ts'
import type { VaultRecord } from '../telemetry/index.ts'
import {
  createVault,
  type EnvironmentVariables,
  type KeyRing,
  openKeyRing,
  sealKeyCheck,
  type Vault,
  type VaultOptions,
  verifyKeyChecks,
} from '../vault/index.ts'

export interface OpenedKeys {
  readonly keyRing: KeyRing
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
  const known = inspection.kind === 'present' ? inspection.keyChecks : []
  const keyRing = await openKeyRing(config.vault, {
    environment: variables,
    mayCreate: known.length === 0,
    record,
    signal,
  })
  const vault = createVault(keyRing)
  verifyKeyChecks(keyRing, known.map(toKeyCheck))
  return {
    keyRing,
    vault,
    noteKeys: async (store) => {
      if (known.some(({ key_id }) => key_id === vault.currentKeyId)) return
      const { keyId, sealed } = sealKeyCheck(vault)
      await store.db
        .insertInto('key_checks')
        .values({ key_id: keyId, sealed, created_at: clock.now().getTime() })
        .onConflict((conflict) => conflict.column('key_id').doNothing())
        .execute()
      await standBackForOthers(store, keyRing, keyId)
    },
  }
}

/**
 * Two nodes that start at once on an empty database may each have made a key of their own. Nothing
 * is sealed yet: whoever sees the other's key takes its own mark back, and ends.
 */
async function standBackForOthers(store: Store, keyRing: KeyRing, keyId: string): Promise<void> {
  const rows = await store.db.selectFrom('key_checks').selectAll().execute()
  try {
    verifyKeyChecks(keyRing, rows.map(toKeyCheck))
  } catch (error) {
    await store.db.deleteFrom('key_checks').where('key_id', '=', keyId).execute()
    throw error
  }
}

function toKeyCheck({ key_id, sealed }: KeyCheckRow): { keyId: string; sealed: Buffer } {
  return { keyId: key_id, sealed }
}
