import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { StoreError } from './errors.ts'
import type { Store } from './store.ts'

/** One numbered step of the schema, forward only. */
export interface Migration {
  readonly version: number
  readonly name: string
  readonly sql: string
}

/** How an engine carries migrations out. */
export interface MigrationTarget {
  /** Runs `work` while no other node migrates this database. */
  exclusively(work: () => Promise<void>): Promise<void>
  /** The newest migration that is in effect; 0 before the first. */
  version(): Promise<number>
  /** Runs the migration and writes its row, both or neither. */
  apply(migration: Migration): Promise<void>
}

/** Reads an engine's migrations from `certs-store/`, wherever the program was started. */
export async function readMigrations(engine: Store['engine']): Promise<readonly Migration[]> {
  const folder = new URL(`../../certs-store/migrations/${engine}/`, import.meta.url)
  const files = (await readdir(folder)).filter((file) => file.endsWith('.sql')).sort()
  return Promise.all(
    files.map(async (file, index) => {
      const match = /^(\d{4})-([a-z0-9-]+)\.sql$/.exec(file)
      if (!match?.[2] || Number(match[1]) !== index + 1) {
        throw new StoreError('store/corrupt', `${fileURLToPath(folder)}${file} is out of order.`, {
          fix: 'Restore certs-store/migrations from the release: 0001-…, 0002-…, without gaps.',
        })
      }
      const sql = await readFile(new URL(file, folder), 'utf8')
      return { version: index + 1, name: match[2], sql }
    }),
  )
}

/** Brings a database forward to the newest schema. Safe when several nodes start at once. */
export async function migrate(
  target: MigrationTarget,
  migrations: readonly Migration[],
): Promise<void> {
  if (pendingMigrations(await target.version(), migrations).length === 0) return
  await target.exclusively(async () => {
    // Asked again: another node may have done it while this one waited.
    for (const migration of pendingMigrations(await target.version(), migrations)) {
      await target.apply(migration)
    }
  })
}

/** What is still to be done to a database of this version. Throws `store/newer-schema`. */
export function pendingMigrations(
  version: number,
  migrations: readonly Migration[],
): readonly Migration[] {
  if (version > migrations.length) {
    throw new StoreError(
      'store/newer-schema',
      `The database has schema ${version}; this Postern knows schemas up to ${migrations.length}.`,
      { fix: 'Start the newer Postern again; nothing was changed.' },
    )
  }
  return migrations.slice(version)
}

/** Refuses a database that the server has not brought forward. Throws `store/not-migrated`. */
export function requireMigrated(version: number, migrations: readonly Migration[]): void {
  if (pendingMigrations(version, migrations).length === 0) return
  throw new StoreError('store/not-migrated', `The database has schema ${version} still.`, {
    fix: 'Start the server first: it migrates the database, workers do not.',
  })
}
