import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import { Kysely } from 'kysely'
import { createPrivateDirectory } from '../data-directory.ts'
import type { StoreDeps, StoreEngine } from '../engine.ts'
import { migrate, readMigrations, requireMigrated } from '../migrate.ts'
import { createNoticeBoard } from '../notice-board.ts'
import type { Schema } from '../schema.ts'
import type { Store } from '../store.ts'
import { PatientSqliteDialect, runPatiently } from './dialect.ts'
import { createSqliteFaults } from './faults.ts'
import {
  canonicalPath,
  createDatabaseFile,
  hasContent,
  notADatabase,
  requireWritable,
} from './files.ts'
import { createSqliteHotPaths } from './hot-paths.ts'
import { inspectSqlite } from './inspect.ts'
import { createSqliteMigrationTarget, schemaVersion } from './migration-target.ts'
import { acquireServerLock } from './server-lock.ts'

/** SQLite in a file: one server process, and the workers it starts. */
export function createSqliteEngine(givenPath: string): StoreEngine {
  return {
    inspect: () => inspectSqlite(canonicalPath(givenPath)),
    open: async (deps) => {
      using opening = new DisposableStack()
      const path = await prepareFile(canonicalPath(givenPath), deps, opening)
      const migrations = await readMigrations('sqlite')
      const writer = opening.adopt(openWriter(path), (database) => database.close())
      if (deps.role === 'server') {
        await migrate(createSqliteMigrationTarget(writer, deps), migrations)
      }
      requireMigrated(schemaVersion(writer), migrations)
      const reader = opening.adopt(openReader(path), (database) => database.close())
      deps.record.storeOpened({ engine: 'sqlite', schemaVersion: migrations.length })
      return createStore({ writer, reader, opened: opening.move() }, deps)
    },
  }
}

async function prepareFile(
  path: string,
  { role }: StoreDeps,
  opening: DisposableStack,
): Promise<string> {
  requireWritable(path)
  if (role === 'server') {
    await createPrivateDirectory(dirname(path))
    opening.use(acquireServerLock(path))
    if (!(await hasContent(path))) await createDatabaseFile(path)
  }
  if (!(await hasContent(path))) requireMigrated(0, await readMigrations('sqlite'))
  return path
}

function openWriter(path: string): Database.Database {
  try {
    // A short wait inside SQLite blocks the event loop; `runPatiently` does the long waiting.
    const database = new Database(path, { fileMustExist: true, timeout: 5 })
    database.pragma('journal_mode = wal')
    // The log is flushed at each commit: what was acknowledged survives a power cut.
    database.pragma('synchronous = full')
    database.pragma('foreign_keys = on')
    database.pragma('trusted_schema = off')
    // Destroyed keys are overwritten, not just forgotten.
    database.pragma('secure_delete = on')
    database.pragma(`journal_size_limit = ${LOG_BYTES_KEPT_MAX}`)
    return database
  } catch (error) {
    throw notADatabase(path, error)
  }
}

function openReader(path: string): Database.Database {
  const database = new Database(path, { fileMustExist: true, readonly: true, timeout: 1000 })
  database.pragma(`cache_size = -${READER_CACHE_KIB_MAX}`)
  return database
}

interface OpenDatabases {
  readonly writer: Database.Database
  readonly reader: Database.Database
  readonly opened: DisposableStack
}

function createStore({ writer, reader, opened }: OpenDatabases, { record }: StoreDeps): Store {
  const faults = createSqliteFaults(record)
  const db = new Kysely<Schema>({
    dialect: new PatientSqliteDialect({ database: writer, faults }),
  })
  const board = opened.use(createNoticeBoard())
  const write = (work: () => void): Promise<void> =>
    db.connection().execute(() => runPatiently(work, { faults, kind: 'write' }))

  return {
    engine: 'sqlite',
    db,
    transaction: (work) => db.transaction().execute(work),
    hot: createSqliteHotPaths({ reader, writer, write }),
    publish: async (notice) => board.post(notice),
    notices: (signal) => board.read(signal),
    halted: faults.halted,
    [Symbol.asyncDispose]: async () => {
      if (opened.disposed) return
      // Its turn comes when the query or transaction under way has ended.
      await db.connection().execute(async () => opened.dispose())
    },
  }
}

/** After a burst the log file is cut back to this when it starts over. */
const LOG_BYTES_KEPT_MAX = 64 * 1024 * 1024
/** Point look-ups gain little from a bigger one: the operating system caches the file. */
const READER_CACHE_KIB_MAX = 4096
