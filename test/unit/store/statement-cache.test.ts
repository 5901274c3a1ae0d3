import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { keepStatementsPrepared } from '../../../src/store/sqlite/statement-cache.ts'

describe('statements that are kept prepared', () => {
  let database: Database.Database

  beforeEach(() => {
    database = new Database(':memory:')
    database.exec('create table hosts (name text) strict')
    database.exec(`insert into hosts values ('a'), ('b')`)
  })
  afterEach(() => database.close())

  test('are prepared once, however often they run', () => {
    const { prepare } = keepStatementsPrepared(database)
    expect(prepare('select * from hosts')).toBe(prepare('select * from hosts'))
    prepare('insert into hosts values (?)').run(['c'])
    expect(prepare('select name from hosts where name > ?').all(['b'])).toEqual([{ name: 'c' }])
  })

  test('see what a later change of the schema has added', () => {
    const { prepare } = keepStatementsPrepared(database)
    const all = prepare('select * from hosts')
    expect(all.all([])).toEqual([{ name: 'a' }, { name: 'b' }])
    prepare('alter table hosts add column state text').run([])
    expect(all.all([])).toEqual([
      { name: 'a', state: null },
      { name: 'b', state: null },
    ])
  })

  test('may be iterated by two at once', () => {
    const { prepare } = keepStatementsPrepared(database)
    const [left, right] = ['left', 'right'].map(() => prepare('select name from hosts').iterate([]))
    expect([left?.next().value, right?.next().value]).toEqual([{ name: 'a' }, { name: 'a' }])
    expect(prepare('select name from hosts').all([])).toHaveLength(2)
    for (const rows of [left, right]) rows?.return?.()
  })

  test('are forgotten when others were used more lately', () => {
    const { prepare } = keepStatementsPrepared(database, 2)
    const [one, two] = [prepare('select 1'), prepare('select 2')]
    expect(prepare('select 1')).toBe(one)
    prepare('select 3')
    expect(prepare('select 1')).toBe(one)
    expect(prepare('select 2')).not.toBe(two)
  })

  test('are never pragmas, changes of the schema, or very long', () => {
    const { prepare } = keepStatementsPrepared(database)
    const long = `select 1 ${' '.repeat(5000)}`
    for (const sql of ['pragma cache_size', 'create table if not exists t (c)', long]) {
      expect(prepare(sql)).not.toBe(prepare(sql))
    }
  })
})
