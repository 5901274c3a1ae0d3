import Database from 'better-sqlite3'
import type { StoreRecord } from '../../telemetry/index.ts'
import { StoreError, type StoreErrorCode } from '../errors.ts'

/** Turns SQLite's faults into ours, and stops writing once a write may not have reached the disk. */
export interface SqliteFaults {
  /** Throws `store/halted` once writing has stopped. */
  requireWriting(): void
  /** The error to throw for `error`. Refused writes (constraints) and bugs stay as they are. */
  toStoreError(error: unknown): unknown
  readonly halted: AbortSignal
}

export function createSqliteFaults(path: string, record: StoreRecord): SqliteFaults {
  const halting = new AbortController()
  return {
    requireWriting: () => halting.signal.throwIfAborted(),
    toStoreError: (error) => {
      const failure = toStoreError(error, path)
      if (failure === error || !(failure instanceof StoreError)) return error
      record.storeFailed(failure)
      if (mayHaveLostWrites(error) && !halting.signal.aborted) {
        const halted = haltedBecause(failure)
        record.writesHalted(halted)
        halting.abort(halted)
      }
      return failure
    },
    halted: halting.signal,
  }
}

/** The error to throw for one of SQLite's about this file. Others stay as they are. */
export function toStoreError(error: unknown, path: string): unknown {
  if (!(error instanceof Database.SqliteError)) return error
  const code = storeCodeOf(error.code)
  if (!code) return error
  const { sentence, fix } = TEXTS[code]
  return new StoreError(code, `${sentence} (${error.code}): ${path}.`, { cause: error, fix })
}

/** Somebody else writes at this moment. */
export function isBusy(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY')
}

/**
 * After a failed fsync the kernel may believe dirty pages to be clean: asking again can succeed
 * without anything having been written. PostgreSQL and Postfix stop there, and so do we.
 */
function mayHaveLostWrites(error: unknown): boolean {
  return (
    error instanceof Database.SqliteError &&
    (isCorrupt(error.code) || /^SQLITE_IOERR_(DIR_)?FSYNC$/.test(error.code))
  )
}

function haltedBecause(cause: StoreError): StoreError {
  const sentence = 'A write to the database could not be made durable; writing has stopped.'
  const fix = 'Look at the disk and the kernel log, then start Postern again.'
  return new StoreError('store/halted', sentence, { cause, fix })
}

function storeCodeOf(code: string): keyof typeof TEXTS | undefined {
  if (isCorrupt(code)) return 'store/corrupt'
  if (code === 'SQLITE_FULL') return 'store/disk-full'
  if (code.startsWith('SQLITE_BUSY')) return 'store/busy'
  if (code.startsWith('SQLITE_READONLY')) return 'store/not-writable'
  if (code.startsWith('SQLITE_IOERR') || code.startsWith('SQLITE_CANTOPEN')) {
    return 'store/io-failed'
  }
  return undefined
}

function isCorrupt(code: string): boolean {
  return code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB'
}

const TEXTS = {
  'store/corrupt': {
    sentence: 'This is no database, or it is damaged',
    fix: 'Check that store.url names a database of Postern; restore a backup if it is damaged.',
  },
  'store/disk-full': {
    sentence: 'The disk of the database is full',
    fix: 'Make space; Postern goes on by itself.',
  },
  'store/busy': {
    sentence: 'The database was locked for too long',
    fix: 'Look for another program that works on the file.',
  },
  'store/not-writable': {
    sentence: 'The database can only be read',
    fix: 'Give this user write access to the file and its directory.',
  },
  'store/io-failed': {
    sentence: 'The disk of the database failed',
    fix: 'Look at the disk and the kernel log.',
  },
} as const satisfies Partial<Record<StoreErrorCode, object>>
