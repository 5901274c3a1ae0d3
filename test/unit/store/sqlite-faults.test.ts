import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { StoreError } from '../../../src/store/index.ts'
import { createSqliteFaults } from '../../../src/store/sqlite/faults.ts'
import { silentStoreRecord } from '../../support/stores.ts'

const aFault = (code: string): Error => new Database.SqliteError('from SQLite', code)

describe('faults of SQLite', () => {
  it.each([
    ['SQLITE_FULL', 'store/disk-full'],
    ['SQLITE_BUSY', 'store/busy'],
    ['SQLITE_BUSY_RECOVERY', 'store/busy'],
    ['SQLITE_READONLY_DBMOVED', 'store/not-writable'],
    ['SQLITE_IOERR_WRITE', 'store/io-failed'],
    ['SQLITE_CANTOPEN', 'store/io-failed'],
  ])('%s becomes %s, and writing goes on', (code, expected) => {
    const faults = createSqliteFaults('/x.sqlite', silentStoreRecord())
    const cause = aFault(code)
    expect(faults.toStoreError(cause)).toMatchObject({ code: expected, cause })
    expect(() => faults.requireWriting()).not.toThrow()
  })

  it.each(['SQLITE_IOERR_FSYNC', 'SQLITE_IOERR_DIR_FSYNC', 'SQLITE_CORRUPT', 'SQLITE_NOTADB'])(
    'after %s nothing is written any more, and the program is told once',
    (code) => {
      const halts: unknown[] = []
      const faults = createSqliteFaults('/x.sqlite', {
        ...silentStoreRecord(),
        writesHalted: (error) => void halts.push(error),
      })
      expect(faults.toStoreError(aFault(code))).toBeInstanceOf(StoreError)
      faults.toStoreError(aFault(code))
      expect(() => faults.requireWriting()).toThrow(
        expect.objectContaining({ code: 'store/halted' }),
      )
      expect(faults.halted.reason).toBe(halts[0])
      expect(halts.length).toBe(1)
    },
  )

  it('leaves refused writes and bugs as they are', () => {
    const faults = createSqliteFaults('/x.sqlite', silentStoreRecord())
    for (const error of [aFault('SQLITE_CONSTRAINT_UNIQUE'), new TypeError('a bug')]) {
      expect(faults.toStoreError(error)).toBe(error)
    }
  })
})
