import type pg from 'pg'
import type { StoreDeps } from '../engine.ts'
import type { MigrationTarget } from '../migrate.ts'

/** Migrates over one connection of its own, which holds the lock while it lives. */
export function createPostgresMigrationTarget(
  client: pg.Client,
  { clock, record }: Pick<StoreDeps, 'clock' | 'record'>,
): MigrationTarget {
  return {
    exclusively: async (work) => {
      // Deadlines are for visitors: building an index, or waiting for the node that does, takes time.
      await client.query('set statement_timeout = 0; set lock_timeout = 0')
      await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK])
      try {
        await work()
      } finally {
        await client.query('select pg_advisory_unlock($1)', [MIGRATION_LOCK])
      }
    },
    version: () => schemaVersion(client),
    apply: async ({ version, name, sql }) => {
      await client.query('begin')
      try {
        await client.query(CREATE_SCHEMA_MIGRATIONS)
        await client.query(sql)
        await client.query(
          'insert into schema_migrations (version, name, applied_at) values ($1, $2, $3)',
          [version, name, clock.now().getTime()],
        )
        await client.query('commit')
      } catch (error) {
        await client.query('rollback')
        throw error
      }
      record.schemaMigrated({ version, name })
    },
  }
}

/** The newest migration in effect; 0 in a new database. */
export async function schemaVersion(client: pg.Client): Promise<number> {
  const table = await client.query(`select 1 where to_regclass('schema_migrations') is not null`)
  if (table.rows.length === 0) return 0
  const newest = await client.query<{ version: number | null }>(
    'select max(version) as version from schema_migrations',
  )
  return newest.rows[0]?.version ?? 0
}

/** "postern" in ASCII, so that no other program means the same lock by accident. */
const MIGRATION_LOCK = '31647739056321134'

const CREATE_SCHEMA_MIGRATIONS = `
  create table if not exists schema_migrations (
    version bigint not null primary key,
    name text not null,
    applied_at bigint not null
  )`
