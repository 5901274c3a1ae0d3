import type Database from 'better-sqlite3'
import type { SqliteDatabase, SqliteStatement } from 'kysely'

/**
 * The writing connection as Kysely sees it, with the statements used last kept prepared: Kysely
 * prepares anew for each query. A statement finds out by itself when the schema has changed
 * (https://www.sqlite.org/c3ref/prepare.html).
 */
export function keepStatementsPrepared(
  database: Database.Database,
  statementsMax = STATEMENTS_MAX,
): SqliteDatabase {
  const statementsBySql = new Map<string, SqliteStatement>()

  const prepare = (sql: string): SqliteStatement => {
    if (!MAY_BE_KEPT.test(sql) || sql.length > KEPT_SQL_LENGTH_MAX) return database.prepare(sql)
    const statement = statementsBySql.get(sql) ?? runAtOnce(database, sql)
    // What was used last comes last.
    statementsBySql.delete(sql)
    statementsBySql.set(sql, statement)
    if (statementsBySql.size > statementsMax) {
      for (const leastUsed of statementsBySql.keys().take(1)) statementsBySql.delete(leastUsed)
    }
    return statement
  }
  return { prepare, close: () => database.close() }
}

/** A statement that is over when it returns, so never in use twice. Iterating takes one of its own. */
function runAtOnce(database: Database.Database, sql: string): SqliteStatement {
  const statement = database.prepare<unknown[]>(sql)
  return {
    reader: statement.reader,
    all: (parameters) => statement.all(...parameters),
    run: (parameters) => statement.run(...parameters),
    iterate: (parameters) => database.prepare<unknown[]>(sql).iterate(...parameters),
  }
}

/** Some pragmas do their work when they are prepared; changes of the schema come once. */
const MAY_BE_KEPT =
  /^\s*(?:select|insert|update|delete|with|begin|commit|rollback|savepoint|release)\b/i
/** Postern has about a hundred different queries. */
const STATEMENTS_MAX = 256
/** Longer ones insert many rows at once, another number each time. */
const KEPT_SQL_LENGTH_MAX = 4096
