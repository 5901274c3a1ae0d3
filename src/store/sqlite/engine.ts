import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import { Kysely, sql } from 'kysely'
import { createPrivateDirectory } from '../data-directory.ts'
import type { StoreDeps, StoreEngine } from '../engine.ts'
import { migrate, readMigrations, requireMigrated } from '../migrate.ts'
import { createNoticeBoard } from '../notice-board.ts'
import { withPatience } from '../patience.ts'
import type { Schema } from '../schema.ts'
import type { Store } from '../store.ts'
import { BUSY_TRIES, PatientSqliteDialect, runPatiently } from './dialect.ts'
import { createSqliteFaults, isBusy, toStoreError } from './faults.ts'
import { canonicalPath, createDatabaseFile, hasContent, requireWritable } from './files.ts'
import { createGroupCommit } from './group-commit.ts'
import { createSqliteHotPaths } from './hot-paths.ts'
import { inspectSqlite } from './inspect.ts'
import { createSqliteMigrationTarget, schemaVersion } from './migration-target.ts'
import { acquireServerLock } from './server-lock.ts'

/** SQLite in a file: one server process, and the workers it starts. */
export function createSqliteEngine(givenPath: string): StoreEngine {
  return {
    inspect: () => inspectSqlite(canonicalPath(givenPath)),
    open: async (deps) => {
      const path = canonicalPath(givenPath)
      try {
        return await openStore(path, deps)
      } catch (error) {
        throw toStoreError(error, path)
      }
    },
  }
}

async function openStore(path: string, deps: StoreDeps): Promise<Store> {
  using opening = new DisposableStack()
  const migrations = await readMigrations('sqlite')
  requireWritable(path)
  if (deps.role === 'server') {
    await createPrivateDirectory(dirname(path))
    opening.use(acquireServerLock(path))
    if (!(await hasContent(path))) await createDatabaseFile(path)
  } else if (!(await hasContent(path))) {
    requireMigrated(0, migrations)
  }
  const writer = opening.adopt(openFile(path, 'read-write'), (database) => database.close())
  await withPatience(() => prepareWriter(writer), { tries: BUSY_TRIES, mayTryAgain: isBusy })
  if (deps.role === 'server') await migrate(createSqliteMigrationTarget(writer, deps), migrations)
  requireMigrated(schemaVersion(writer), migrations)

  const reader = opening.adopt(openFile(path, 'read-only'), (database) => database.close())
  reader.pragma(`cache_size = -${READER_CACHE_KIB_MAX}`)
  deps.record.storeOpened({ engine: 'sqlite', schemaVersion: migrations.length })
  return createStore({ path, writer, reader, opened: opening.move() }, deps)
}

function openFile(path: string, mode: 'read-write' | 'read-only'): Database.Database {
  const readonly = mode === 'read-only'
  return new Database(path, { fileMustExist: true, readonly, timeout: BLOCKING_MS_MAX })
}

function prepareWriter(database: Database.Database): void {
  // A restored copy may have lost this mode, which is kept in the file.
  database.pragma('journal_mode = wal')
  // The log is flushed at each commit: what was acknowledged survives a power cut.
  database.pragma('synchronous = full')
  database.pragma('foreign_keys = on')
  database.pragma('trusted_schema = off')
  // Destroyed keys are overwritten, not just forgotten.
  database.pragma('secure_delete = on')
  database.pragma(`journal_size_limit = ${LOG_BYTES_KEPT_MAX}`)
}

interface OpenDatabases {
  readonly path: string
  readonly writer: Database.Database
  readonly reader: Database.Database
  readonly opened: DisposableStack
}

function createStore(
  { path, writer, reader, opened }: OpenDatabases,
  { clock, record }: StoreDeps,
): Store {
  const faults = createSqliteFaults(path, record)
  const db = new Kysely<Schema>({
    dialect: new PatientSqliteDialect({ database: writer, faults }),
  })
  const group = createGroupCommit({ db, clock, isInTransaction: () => writer.inTransaction })
  const board = opened.use(createNoticeBoard())
  const write = (work: () => void): Promise<void> =>
    db.connection().execute(() => runPatiently(work, { faults, kind: 'write' }))

  return {
    engine: 'sqlite',
    db,
    nowMs: sql<number>`cast(unixepoch('subsec') * 1000 as integer)`,
    transaction: group.transaction,
    hot: createSqliteHotPaths({ reader, writer, write }),
    publish: async (notice) => board.post(notice),
    notices: (signal) => board.read(signal),
    halted: faults.halted,
    [Symbol.asyncDispose]: async () => {
      if (opened.disposed) return
      await group.idle()
      // Its turn comes when the query under way has ended.
      await db.connection().execute(async () => opened.dispose())
    },
  }
}

/** After a burst the log file is cut back to this when it starts over. */
const LOG_BYTES_KEPT_MAX = 64 * 1024 * 1024
/** Point look-ups gain little from a bigger one: the operating system caches the file. */
const READER_CACHE_KIB_MAX = 4096
/** A wait inside SQLite blocks the event loop; the long waiting is done outside. */
const BLOCKING_MS_MAX = 5
