import { closeSync, openSync } from 'node:fs'
import Database from 'better-sqlite3'
import { notWritable } from '../data-directory.ts'
import { StoreError } from '../errors.ts'

/**
 * Keeps a second server off the same database: an exclusive transaction, held for ever, on an empty
 * SQLite file beside it. The operating system ends it with the process, however that dies; a file
 * with a process id in it would not. Throws `store/already-served`.
 */
export function acquireServerLock(databasePath: string): Disposable {
  const path = `${databasePath}.lock`
  const lock = openLock(path)
  try {
    // Nothing is ever written: no journal is needed, and none is left behind.
    lock.pragma('journal_mode = off')
    lock.exec('begin exclusive')
  } catch (error) {
    lock.close()
    throw alreadyServed(databasePath, error)
  }
  return { [Symbol.dispose]: () => lock.close() }
}

function openLock(path: string): Database.Database {
  try {
    closeSync(openSync(path, 'a', 0o600))
    return new Database(path, { timeout: 0 })
  } catch (error) {
    throw notWritable(path, error)
  }
}

function alreadyServed(path: string, cause: unknown): StoreError {
  return new StoreError('store/already-served', `Another Postern server is working on ${path}.`, {
    cause,
    fix: 'Stop it first, or use PostgreSQL (store.url) for several nodes.',
  })
}
