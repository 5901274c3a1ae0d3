import type Database from 'better-sqlite3'
import {
  CompiledQuery,
  type DatabaseConnection,
  type Driver,
  type QueryResult,
  SelectQueryNode,
  SqliteDialect,
  SqliteDriver,
} from 'kysely'
import { withPatience } from '../patience.ts'
import { isBusy, type SqliteFaults } from './faults.ts'
import { keepStatementsPrepared } from './statement-cache.ts'

/** What a connection of Kysely's needs here. */
export interface SqliteDialectDeps {
  readonly database: Database.Database
  readonly faults: SqliteFaults
}

/**
 * Kysely's SQLite dialect, fit for several processes: transactions take the write lock when they
 * begin (a later upgrade could only fail), and a lock held by another process is waited for without
 * blocking the event loop.
 */
export class PatientSqliteDialect extends SqliteDialect {
  readonly #deps: SqliteDialectDeps

  constructor(deps: SqliteDialectDeps) {
    super({ database: deps.database })
    this.#deps = deps
  }

  override createDriver(): Driver {
    return new PatientSqliteDriver(this.#deps)
  }
}

class PatientSqliteDriver extends SqliteDriver {
  readonly #deps: SqliteDialectDeps
  #connection: DatabaseConnection | undefined

  constructor(deps: SqliteDialectDeps) {
    super({ database: keepStatementsPrepared(deps.database) })
    this.#deps = deps
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    this.#connection ??= new PatientConnection(await super.acquireConnection(), this.#deps)
    return this.#connection
  }

  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'))
  }

  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    // SQLite rolls back by itself when the disk is full or fails.
    if (this.#deps.database.inTransaction) await super.rollbackTransaction(connection)
  }
}

class PatientConnection implements DatabaseConnection {
  readonly #connection: DatabaseConnection
  readonly #deps: SqliteDialectDeps

  constructor(connection: DatabaseConnection, deps: SqliteDialectDeps) {
    this.#connection = connection
    this.#deps = deps
  }

  executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    // Undoing is always allowed.
    const isWrite = !SelectQueryNode.is(query.query) && query.sql !== 'rollback'
    return runPatiently(() => this.#connection.executeQuery<Row>(query), {
      ...this.#deps,
      kind: isWrite ? 'write' : 'read',
    })
  }

  streamQuery<Row>(query: CompiledQuery, chunkSize: number) {
    return this.#connection.streamQuery<Row>(query, chunkSize)
  }
}

/** Runs one statement, or one short transaction, of the writing connection. */
export async function runPatiently<Result>(
  work: () => Result | Promise<Result>,
  { faults, kind }: { readonly faults: SqliteFaults; readonly kind: 'read' | 'write' },
): Promise<Result> {
  if (kind === 'write') faults.requireWriting()
  try {
    return await withPatience(work, { tries: BUSY_TRIES, mayTryAgain: isBusy })
  } catch (error) {
    throw faults.toStoreError(error)
  }
}

/** About ten seconds, with the pauses of `withPatience`. */
export const BUSY_TRIES = 500
