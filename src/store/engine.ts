import type { Clock } from '../kernel/index.ts'
import type { StoreRecord } from '../telemetry/index.ts'
import type { KeyCheckRow } from './schema.ts'
import type { Store } from './store.ts'

/** A server owns the database and migrates it; a worker only uses what it finds. */
export type StoreRole = 'server' | 'worker'

/** What the store needs from outside. */
export interface StoreDeps {
  readonly clock: Clock
  readonly record: StoreRecord
  readonly role: StoreRole
}

/** What is in a store, seen without touching it. */
export type StoreInspection =
  | { readonly kind: 'empty' }
  | {
      readonly kind: 'present'
      readonly schemaVersion: number
      readonly keyChecks: readonly KeyCheckRow[]
      /** The ids of the master keys under which secrets rest, in hexadecimal. No row is read for it. */
      readonly sealedWith: readonly string[]
    }

/** One kind of database. Implementations MUST pass the store contract suite. */
export interface StoreEngine {
  inspect(signal?: AbortSignal): Promise<StoreInspection>
  open(deps: StoreDeps): Promise<Store>
}
