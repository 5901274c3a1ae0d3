import { readdir } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openStore, type Store } from '../../src/store/index.ts'
import { type PostgresServer, startPostgres } from '../support/postgres.ts'
import { openSqliteTestStore, testStoreDeps } from '../support/stores.ts'

let server: PostgresServer
let sqlite: Store
let postgres: Store

beforeAll(async () => {
  server = await startPostgres()
  sqlite = await openSqliteTestStore()
  postgres = await openStore({ url: await server.createDatabase() }, testStoreDeps())
})
afterAll(async () => {
  await sqlite[Symbol.asyncDispose]()
  await postgres[Symbol.asyncDispose]()
  await server.stop()
})

test('both engines have the same tables, columns and nullability', async () => {
  expect(await describeTables(sqlite)).toEqual(await describeTables(postgres))
})

test('every migration is written for both engines', async () => {
  const [onSqlite, onPostgres] = await Promise.all(
    ['sqlite', 'postgres'].map((engine) =>
      readdir(new URL(`../../certs-store/migrations/${engine}`, import.meta.url)),
    ),
  )
  expect(onSqlite).toEqual(onPostgres)
})

async function describeTables(store: Store) {
  const tables = await store.db.introspection.getTables()
  return Object.fromEntries(
    tables.map(({ name, columns }) => [
      name,
      Object.fromEntries(
        columns.map((column) => [
          column.name,
          {
            type: COMMON_TYPES[column.dataType] ?? column.dataType,
            isNullable: column.isNullable,
            hasDefault: column.hasDefaultValue,
          },
        ]),
      ),
    ]),
  )
}

const COMMON_TYPES: Readonly<Record<string, string>> = {
  int8: 'integer',
  INTEGER: 'integer',
  bytea: 'bytes',
  BLOB: 'bytes',
  TEXT: 'text',
}
