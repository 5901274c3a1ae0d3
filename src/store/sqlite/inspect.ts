import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import type { StoreInspection } from '../engine.ts'
import { StoreError } from '../errors.ts'
import { readSealedWith } from '../sealed-with.ts'
import { hasContent, requireWritable } from './files.ts'
import { hasLog } from './write-ahead-log.ts'

/**
 * Reads schema version and key checks without changing a byte. better-sqlite3 cannot: it takes no
 * URI, and a plain read-only connection makes a `-wal` and a `-shm` file beside a database in WAL
 * mode. So this one reader is Node's own SQLite.
 *
 * Never for a file that this process has open: POSIX locks belong to the process, and closing here
 * would drop those of the other library.
 */
export async function inspectSqlite(path: string): Promise<StoreInspection> {
  requireWritable(path)
  if (!(await hasContent(path))) return { kind: 'empty' }
  try {
    using database = new DatabaseSync(readOnlyUrl(path), { readOnly: true, timeout: LOCK_MS_MAX })
    const hasTable = database.prepare(`
      select 1 from sqlite_schema where type = 'table' and name = 'schema_migrations'`)
    if (!hasTable.get()) return { kind: 'empty' }
    const version = database.prepare('select max(version) as version from schema_migrations').get()
    const schemaVersion = Number(version?.['version'] ?? 0)
    if (schemaVersion === 0) return { kind: 'empty' }
    const rows = database.prepare('select key_id, sealed, created_at from key_checks').all()
    const sealedWith = await readSealedWith(SEALED_TABLES, {
      read: (sql) =>
        database
          .prepare(sql)
          .all()
          .flatMap((row) => Object.values(row).map(String)),
      toHex: (expression) => `hex(${expression})`,
      fromHex: (digits) => `x'${digits}'`,
    })
    return { kind: 'present', schemaVersion, keyChecks: rows.map(toKeyCheckRow), sealedWith }
  } catch (error) {
    throw unreadable(path, error)
  }
}

const SEALED_TABLES = `
  select tables.name from sqlite_schema as tables, pragma_table_info(tables.name) as columns
  where tables.type = 'table' and columns.name = 'sealed_with' order by 1`

/**
 * After a clean end everything is in the one file, which nobody changes: `immutable`. After a crash
 * the newest transactions are in the log: it is read through the index left beside it, unwritten.
 */
function readOnlyUrl(path: string): URL {
  const url = pathToFileURL(path)
  if (!hasLog(`${path}-wal`)) url.searchParams.set('immutable', '1')
  else if (existsSync(`${path}-shm`)) url.searchParams.set('readonly_shm', '1')
  return url
}

function toKeyCheckRow(row: Record<string, unknown>) {
  const { key_id: keyId, sealed, created_at: createdAt } = row
  if (!(sealed instanceof Uint8Array)) throw new TypeError('key_checks.sealed is not a blob')
  return { key_id: String(keyId), sealed: Buffer.from(sealed), created_at: Number(createdAt) }
}

function unreadable(path: string, cause: unknown): StoreError {
  const errcode = cause instanceof Error && 'errcode' in cause ? Number(cause.errcode) : 0
  const code = FAULTS_OF_THE_SYSTEM.has(errcode & PRIMARY_CODE)
    ? 'store/io-failed'
    : 'store/corrupt'
  return new StoreError(code, `${path} cannot be read as a database.`, {
    cause,
    fix: 'Check that store.url names a database of Postern; restore a backup if it is damaged.',
  })
}

/** SQLITE_BUSY, SQLITE_IOERR, SQLITE_CANTOPEN; the upper bits of a code hold details. */
const FAULTS_OF_THE_SYSTEM: ReadonlySet<number> = new Set([5, 10, 14])
const PRIMARY_CODE = 0xff
const LOCK_MS_MAX = 2_000
