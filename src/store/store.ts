import type { Kysely, RawBuilder, Transaction } from 'kysely'
import type { HotPaths } from './hot-paths.ts'
import type { Schema } from './schema.ts'

/**
 * One database, whichever engine. What `transaction` has resolved for survives a power cut.
 * Implementations MUST pass `test/contract/store.suite.ts`.
 */
export interface Store extends AsyncDisposable {
  readonly engine: 'sqlite' | 'postgres'
  /** For queries that stand alone. */
  readonly db: Kysely<Schema>
  /** The database's own clock, for what nodes compare with one another: theirs may differ. */
  readonly nowMs: RawBuilder<number>
  /**
   * Runs `work` atomically, as if all writers came one after the other. MUST be durable on resolve.
   * Never await the network inside: on SQLite everything else waits. `work` MAY run again
   * (PostgreSQL, after a conflict): only what it does to the database may count.
   */
  transaction<Result>(work: (trx: Transaction<Schema>) => Promise<Result>): Promise<Result>
  /** The few queries on which a visitor waits: prepared once, without the query builder. */
  readonly hot: HotPaths
  /**
   * Tells every node that shares the database, this one included; in order. Nobody confirms.
   * On SQLite there is one node: its server tells its workers itself.
   */
  publish(notice: Notice): Promise<void>
  /**
   * What was published from the call on, until the signal ends it. After a gap in the connection,
   * or when the reader was too slow: one `resync` for what was missed.
   */
  notices(signal: AbortSignal): AsyncIterable<Notice>
  /**
   * Aborts with a StoreError once a write could not be made durable. From then on the store refuses
   * writes; reads go on. Whoever runs the program should drain and start afresh.
   */
  readonly halted: AbortSignal
}

/** What nodes tell one another. Small and without secrets; details are read from the store. */
export type Notice =
  | { readonly kind: 'host-changed'; readonly hostname: string }
  /** Every other node is to try out a certificate that is not in use yet, and to write how it went. */
  | { readonly kind: 'rehearse'; readonly hostname: string; readonly certificateId: string }
  /** Notices may have been missed: read everything again. */
  | { readonly kind: 'resync' }
