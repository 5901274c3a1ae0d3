import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe } from 'vitest'
import { systemClock } from '../../src/kernel/index.ts'
import { openStore, type Store, type StoreDeps } from '../../src/store/index.ts'
import {
  createMetrics,
  createStoreRecord,
  openLog,
  type StoreRecord,
} from '../../src/telemetry/index.ts'
import { type PostgresServer, startPostgres } from './postgres.ts'

/** Opens a fresh, migrated database; it is closed and removed after the test. */
export type OpenTestStore = () => Promise<Store>

/** Names a fresh database that nobody has opened yet; removed after the test. */
export type NewStoreUrl = () => Promise<string>

/** What a suite gets for one engine. */
export interface TestEngine {
  readonly engine: Store['engine']
  readonly openTestStore: OpenTestStore
  readonly newStoreUrl: NewStoreUrl
  /** The running server, on PostgreSQL. */
  postgres(): Promise<PostgresServer>
}

/** Describes a suite twice: on SQLite and on PostgreSQL. */
export function describeEachStore(suite: (openTestStore: OpenTestStore) => void): void {
  describeEachEngine(({ openTestStore }) => suite(openTestStore))
}

/** Like `describeEachStore`, for suites that need to know more about the engine. */
export function describeEachEngine(suite: (engine: TestEngine) => void): void {
  describe.each(['sqlite', 'postgres'] as const)('on %s', (engine) => {
    const cleaning = new AsyncDisposableStack()
    let afterTest = new AsyncDisposableStack()
    let server: Promise<PostgresServer> | undefined
    const postgres = (): Promise<PostgresServer> => {
      server ??= startPostgres().then((started) => cleaning.use(started))
      return server
    }
    const newStoreUrl: NewStoreUrl = async () =>
      engine === 'sqlite' ? newSqliteUrl(afterTest) : (await postgres()).createDatabase()

    afterEach(async () => {
      await afterTest.disposeAsync()
      afterTest = new AsyncDisposableStack()
    })
    afterAll(() => cleaning.disposeAsync())

    suite({
      engine,
      newStoreUrl,
      postgres,
      openTestStore: async () =>
        afterTest.use(await openStore({ url: await newStoreUrl() }, testStoreDeps())),
    })
  })
}

/** Opens a fresh SQLite store for a unit test, which disposes it. */
export async function openSqliteTestStore(deps: Partial<StoreDeps> = {}): Promise<Store> {
  const owned = new AsyncDisposableStack()
  const url = await newSqliteUrl(owned)
  const store = await openStore({ url }, testStoreDeps(deps))
  return {
    ...store,
    [Symbol.asyncDispose]: async () => {
      await store[Symbol.asyncDispose]()
      await owned.disposeAsync()
    },
  }
}

/** What a store needs, silent, on the machine's clock, as a server. */
export function testStoreDeps(deps: Partial<StoreDeps> = {}): StoreDeps {
  return { clock: systemClock, record: silentStoreRecord(), role: 'server', ...deps }
}

export function silentStoreRecord(): StoreRecord {
  return createStoreRecord({
    log: openLog({ level: 'silent', pretty: false }),
    metrics: createMetrics(),
  })
}

async function newSqliteUrl(owner: AsyncDisposableStack): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'postern-store-'))
  owner.defer(() => rm(folder, { recursive: true, force: true }))
  return `sqlite:${join(folder, 'postern.sqlite')}`
}
