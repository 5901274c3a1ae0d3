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

export function createSqliteFaults(record: StoreRecord): SqliteFaults {
  const halting = new AbortController()
  return {
    requireWriting: () => halting.signal.throwIfAborted(),
    toStoreError: (error) => {
      if (!(error instanceof Database.SqliteError)) return error
      if (mayHaveLostWrites(error.code) && !halting.signal.aborted) {
        const halted = new StoreError(
          'store/halted',
          'A write to the database could not be made durable; writing has stopped.',
          { cause: error, fix: 'Look at the disk and the kernel log, then start Postern again.' },
        )
        record.writesHalted(halted)
        halting.abort(halted)
      }
      const code = storeCodeOf(error.code)
      if (!code) return error
      const failure = new StoreError(code, `${SENTENCES[code]} (${error.code}).`, { cause: error })
      record.storeFailed(failure)
      return failure
    },
    halted: halting.signal,
  }
}

/** Somebody else writes at this moment. */
export function isBusy(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY')
}

/**
 * After a failed fsync the kernel may believe dirty pages to be clean: asking again can succeed
 * without anything having been written. PostgreSQL and Postfix stop there, and so do we.
 */
function mayHaveLostWrites(code: string): boolean {
  return code === 'SQLITE_IOERR_FSYNC' || code === 'SQLITE_IOERR_DIR_FSYNC' || isCorrupt(code)
}

function isCorrupt(code: string): boolean {
  return code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB'
}

function storeCodeOf(code: string): keyof typeof SENTENCES | undefined {
  if (isCorrupt(code)) return 'store/corrupt'
  if (code === 'SQLITE_FULL') return 'store/disk-full'
  if (code.startsWith('SQLITE_BUSY')) return 'store/busy'
  if (code.startsWith('SQLITE_READONLY')) return 'store/not-writable'
  if (code.startsWith('SQLITE_IOERR') || code.startsWith('SQLITE_CANTOPEN')) {
    return 'store/io-failed'
  }
  return undefined
}

const SENTENCES = {
  'store/corrupt': 'The database file is damaged',
  'store/disk-full': 'The disk of the database is full',
  'store/busy': 'The database was locked for too long',
  'store/not-writable': 'The database can only be read',
  'store/io-failed': 'The disk of the database failed',
} as const satisfies Partial<Record<StoreErrorCode, string>>
