import type Database from 'better-sqlite3'
import type { StoreDeps } from '../engine.ts'
import type { MigrationTarget } from '../migrate.ts'

/** Migrates a SQLite file. The server lock already keeps other nodes away. */
export function createSqliteMigrationTarget(
  database: Database.Database,
  { clock, record }: Pick<StoreDeps, 'clock' | 'record'>,
): MigrationTarget {
  return {
    exclusively: (work) => work(),
    version: async () => schemaVersion(database),
    apply: async (migration) => {
      const { version, name, sql } = migration
      const apply = database.transaction(() => {
        database.exec(CREATE_SCHEMA_MIGRATIONS)
        database.exec(sql)
        database
          .prepare('insert into schema_migrations (version, name, applied_at) values (?, ?, ?)')
          .run(version, name, clock.now().getTime())
      })
      apply.immediate()
      record.schemaMigrated({ version, name })
    },
  }
}

/** The newest migration in effect; 0 in a new database. */
export function schemaVersion(database: Database.Database): number {
  const table = database
    .prepare(`select 1 from sqlite_schema where type = 'table' and name = 'schema_migrations'`)
    .get()
  if (table === undefined) return 0
  const newest = database
    .prepare<[], number | null>('select max(version) from schema_migrations')
    .pluck()
    .get()
  return newest ?? 0
}

const CREATE_SCHEMA_MIGRATIONS = `
  create table if not exists schema_migrations (
    version integer not null primary key,
    name text not null,
    applied_at integer not null
  ) strict`
