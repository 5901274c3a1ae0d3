import type { Kysely, Transaction } from 'kysely'
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
  /**
   * Runs `work` atomically; a writer waits for the writer before it. MUST be durable on resolve.
   * Never await the network inside: on SQLite everything else waits.
   */
  transaction<Result>(work: (trx: Transaction<Schema>) => Promise<Result>): Promise<Result>
  /** The few queries on which a visitor waits: prepared once, without the query builder. */
  readonly hot: HotPaths
  /** Tells every node that shares the database, this one included. Fire and forget, in order. */
  publish(notice: Notice): Promise<void>
  /** What was published from now on. After a gap in the connection: one `resync`. */
  notices(signal: AbortSignal): AsyncIterable<Notice>
}

/** What nodes tell one another. Small and without secrets; details are read from the store. */
export type Notice =
  | { readonly kind: 'host-changed'; readonly hostname: string }
  /** Notices may have been missed: read everything again. */
  | { readonly kind: 'resync' }
