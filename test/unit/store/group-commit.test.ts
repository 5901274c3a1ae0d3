import Database from 'better-sqlite3'
import { Kysely, type Transaction } from 'kysely'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Schema } from '../../../src/store/schema.ts'
import { PatientSqliteDialect } from '../../../src/store/sqlite/dialect.ts'
import { createSqliteFaults } from '../../../src/store/sqlite/faults.ts'
import { createGroupCommit, type GroupCommit } from '../../../src/store/sqlite/group-commit.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { silentStoreRecord } from '../../support/stores.ts'

describe('transactions that come together', () => {
  let database: Database.Database
  let db: Kysely<Schema>
  let group: GroupCommit
  let statements: string[]

  beforeEach(() => {
    statements = []
    database = new Database(':memory:', { verbose: (sql) => statements.push(String(sql)) })
    // Refused at the commit, not before, while its host is missing.
    database.exec(`
      pragma foreign_keys = on;
      create table hosts (hostname text primary key) strict;
      insert into hosts values ('a.customer.test');
      create table challenges (
        hostname text references hosts (hostname) deferrable initially deferred,
        token text, key_authorization text, expires_at integer
      ) strict`)
    const faults = createSqliteFaults(':memory:', silentStoreRecord())
    db = new Kysely<Schema>({ dialect: new PatientSqliteDialect({ database, faults }) })
    const isInTransaction = (): boolean => database.inTransaction
    group = createGroupCommit({ db, clock: createFakeClock(), isInTransaction })
  })
  afterEach(() => database.close())

  const showToken =
    (token: string, hostname = 'a.customer.test') =>
    (trx: Transaction<Schema>): Promise<unknown> =>
      trx
        .insertInto('challenges')
        .values({ hostname, token, key_authorization: 'proof', expires_at: 1 })
        .execute()
  const tokens = (): unknown =>
    database.prepare('select token from challenges order by rowid').pluck().all()
  const commits = (): number => statements.filter((sql) => sql === 'commit').length

  test('share one commit', async () => {
    const names = Array.from({ length: 20 }, (_, n) => `t${n}`)
    await Promise.all(names.map((name) => group.transaction(showToken(name))))
    expect(tokens()).toEqual(names)
    expect(commits()).toBe(1)
  })

  test('are 64 in a commit at most', async () => {
    const names = Array.from({ length: 65 }, (_, n) => `t${n}`)
    await Promise.all(names.map((name) => group.transaction(showToken(name))))
    expect(commits()).toBe(2)
  })

  test('lose one whose work throws, and that one alone', async () => {
    const failing = group.transaction(async (trx) => {
      await showToken('undone')(trx)
      throw new Error('changed my mind')
    })
    const others = ['a', 'b'].map((name) => group.transaction(showToken(name)))
    await expect(failing).rejects.toThrow('changed my mind')
    await Promise.all(others)
    expect(tokens()).toEqual(['a', 'b'])
    expect(commits()).toBe(1)
  })

  test('hear of nothing before the commit, not even of a failure', async () => {
    const told: string[] = []
    const outcomes = [
      group.transaction(showToken('a')).then(() => told.push(`done after ${commits()}`)),
      group
        .transaction(() => Promise.reject(new Error('no')))
        .catch(() => told.push(`failed after ${commits()}`)),
      group.transaction(async () => void expect(told).toEqual([])),
    ]
    await Promise.all(outcomes)
    expect(told).toEqual(['done after 1', 'failed after 1'])
  })

  test('all fail when the commit fails, and the next ones do well', async () => {
    const together = ['a', 'b'].map((name) => group.transaction(showToken(name)))
    together.push(group.transaction(showToken('c', 'not.there.test')))
    for (const { status } of await Promise.allSettled(together)) expect(status).toBe('rejected')
    expect(tokens()).toEqual([])
    await group.transaction(showToken('d'))
    expect(tokens()).toEqual(['d'])
  })

  test('all fail, with the reason, when SQLite gives up the whole of it', async () => {
    const first = group.transaction(showToken('a'))
    const second = group.transaction(async () => {
      database.exec('rollback')
      throw new Error('the disk is full')
    })
    const outcomes = await Promise.allSettled([first, second])
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ reason: { message: 'the disk is full' } })
    }
    expect(tokens()).toEqual([])
    await group.transaction(showToken('d'))
  })

  test('let no query in that stands alone', async () => {
    const halfway = Promise.withResolvers<void>()
    const failing = group.transaction(async (trx) => {
      await showToken('undone')(trx)
      halfway.resolve()
      await new Promise((resolve) => setImmediate(resolve))
      throw new Error('changed my mind')
    })
    await halfway.promise
    const alone = db.transaction().execute(showToken('alone'))
    const seen = db.selectFrom('challenges').select('token').execute()
    await expect(failing).rejects.toThrow('changed my mind')
    await alone
    expect(await seen).toEqual([{ token: 'alone' }])
    expect(tokens()).toEqual(['alone'])
  })

  test('let in no query of one that is over', async () => {
    let late: Promise<unknown> | undefined
    const first = group.transaction(async (trx) => {
      setImmediate(() => {
        late = showToken('late')(trx).catch((error: unknown) => error)
      })
    })
    const second = group.transaction(async (trx) => {
      await new Promise((resolve) => setImmediate(resolve))
      await showToken('second')(trx)
    })
    await Promise.all([first, second])
    expect(await late).toMatchObject({ message: 'This transaction is over' })
    expect(tokens()).toEqual(['second'])
  })
})
