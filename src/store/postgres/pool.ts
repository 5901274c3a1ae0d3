import { setTimeout as delay } from 'node:timers/promises'
import type { PostgresCursor, PostgresPool, PostgresPoolClient, PostgresQueryResult } from 'kysely'
import pg from 'pg'
import type { StoreRecord } from '../../telemetry/index.ts'
import { StoreError } from '../errors.ts'
import { nameStore } from '../store-url.ts'
import { recordFault } from './faults.ts'

/** Connections that end what takes too long, and speak of failures in our words. */
export interface DeadlinePool extends PostgresPool {
  /** Runs a statement that the server keeps prepared under its name. */
  run<Row extends pg.QueryResultRow>(statement: NamedStatement): Promise<readonly Row[]>
}

/** A statement of a hot path. */
export interface NamedStatement {
  readonly name: string
  readonly text: string
  readonly values: readonly unknown[]
}

export function createDeadlinePool(url: URL, record: StoreRecord): DeadlinePool {
  const name = nameStore({ engine: 'postgres', url })
  const pool = new pg.Pool({ ...connectionConfig(url), max: CONNECTIONS_MAX })
  // An idle connection that the server ends would otherwise be an uncaught exception.
  pool.on('error', (error) => recordFault(error, name, record))
  // And so would one that is lost while in use: the pool stops listening then. Whoever uses it learns
  // it from the query under way, or from the next one; the pool takes no such connection back.
  pool.on('connect', (client) => client.on('error', () => undefined))

  const connect = async (): Promise<DeadlineClient> => {
    try {
      return new DeadlineClient(await pool.connect(), (error) => recordFault(error, name, record))
    } catch (error) {
      throw recordFault(error, name, record)
    }
  }
  return {
    options: {},
    connect,
    end: () => pool.end(),
    run: async <Row extends pg.QueryResultRow>({ name, text, values }: NamedStatement) => {
      const client = await connect()
      try {
        return await client.run<Row>({ name, text, values: [...values] })
      } finally {
        client.release()
      }
    },
  }
}

/** What every connection of ours says when it connects. */
export function connectionConfig(url: URL): pg.ClientConfig {
  return {
    connectionString: url.href,
    application_name: 'postern',
    connectionTimeoutMillis: CONNECT_MS_MAX,
    statement_timeout: STATEMENT_MS_MAX,
    lock_timeout: LOCK_MS_MAX,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS_MAX,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    // Durable on commit, whatever the server's default is.
    options: '-c synchronous_commit=on',
    types: { getTypeParser },
  }
}

/** Ends a connection, and waits for that only so long: the other side may be gone. */
export async function closeClient(client: pg.Client): Promise<void> {
  await Promise.race([client.end(), delay(CLOSE_MS_MAX, undefined, { ref: false })])
}

/** Whole numbers as numbers: ours are instants and counts, all below 2^53. */
const getTypeParser: typeof pg.types.getTypeParser = (oid: number, format?: 'text' | 'binary') =>
  oid === pg.types.builtins.INT8 && format !== 'binary'
    ? Number
    : pg.types.getTypeParser(oid, format)

class DeadlineClient implements PostgresPoolClient {
  readonly #client: pg.PoolClient
  readonly #toError: (error: unknown) => unknown
  #isStuck = false

  constructor(client: pg.PoolClient, toError: (error: unknown) => unknown) {
    this.#client = client
    this.#toError = toError
  }

  query<Row>(sql: string, values: readonly unknown[]): Promise<PostgresQueryResult<Row>>
  query<Row>(cursor: PostgresCursor<Row>): PostgresCursor<Row>
  query(sql: unknown, values: readonly unknown[] = []): unknown {
    if (typeof sql !== 'string') throw new TypeError('Cursors are not in use')
    return this.#beforeDeadline(() => this.#client.query(sql, [...values]))
  }

  async run<Row extends pg.QueryResultRow>(statement: pg.QueryConfig): Promise<readonly Row[]> {
    const result = await this.#beforeDeadline(() => this.#client.query<Row>(statement))
    return result.rows
  }

  release(destroy = false): void {
    this.#client.release(destroy || this.#isStuck)
  }

  /** Against a network that swallows everything: the server's own deadlines cannot reach us then. */
  async #beforeDeadline<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#isStuck) throw stuck()
    using answered = new Waiting()
    const deadline = delay(ANSWER_MS_MAX, undefined, { signal: answered.signal }).then(() => {
      this.#isStuck = true
      throw stuck()
    })
    try {
      return await Promise.race([work(), deadline])
    } catch (error) {
      throw this.#toError(error)
    }
  }
}

/** Ends a timer with its block. */
class Waiting {
  readonly #controller = new AbortController()

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  [Symbol.dispose](): void {
    this.#controller.abort()
  }
}

function stuck(): StoreError {
  return new StoreError('store/busy', 'The database did not answer in time.')
}

/** Per process. Eight processes on a machine stay under PostgreSQL's default of 100. */
const CONNECTIONS_MAX = 10
const CONNECT_MS_MAX = 5_000
const STATEMENT_MS_MAX = 15_000
const LOCK_MS_MAX = 10_000
const IDLE_IN_TRANSACTION_MS_MAX = 30_000
/** Longer than what the server allows, so that its own, better reason comes first. */
const ANSWER_MS_MAX = 20_000
const KEEP_ALIVE_MS = 10_000
const CLOSE_MS_MAX = 1_000
