import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import type { StoreDeps, StoreEngine } from '../engine.ts'
import { migrate, readMigrations, requireMigrated } from '../migrate.ts'
import { createNoticeBoard } from '../notice-board.ts'
import { withPatience } from '../patience.ts'
import type { KeyCheckRow, Schema } from '../schema.ts'
import { readSealedWith } from '../sealed-with.ts'
import type { Store } from '../store.ts'
import { nameStore } from '../store-url.ts'
import { isConflict, toStoreError } from './faults.ts'
import { createPostgresHotPaths } from './hot-paths.ts'
import { type Listener, NOTICE_CHANNEL, startListener } from './listener.ts'
import { createPostgresMigrationTarget, schemaVersion } from './migration-target.ts'
import { closeClient, connectionConfig, createDeadlinePool, type DeadlinePool } from './pool.ts'

/** A PostgreSQL server, shared by any number of nodes. */
export function createPostgresEngine(url: URL): StoreEngine {
  return {
    inspect: (signal) =>
      withClient(
        url,
        async (client) => {
          await client.query('begin read only')
          const version = await schemaVersion(client)
          if (version === 0) return { kind: 'empty' }
          const { rows } = await client.query<KeyCheckRow>(
            'select key_id, sealed, created_at from key_checks',
          )
          const sealedWith = await readSealedWith(SEALED_TABLES, {
            read: async (text) =>
              (await client.query<[string], []>({ text, rowMode: 'array' })).rows.map(([id]) => id),
            toHex: (expression) => `encode(${expression}, 'hex')`,
            fromHex: (digits) => `'\\x${digits}'::bytea`,
          })
          return { kind: 'present', schemaVersion: version, keyChecks: rows, sealedWith }
        },
        signal,
      ),
    open: async (deps) => {
      const migrations = await readMigrations('postgres')
      await withClient(url, async (client) => {
        const target = createPostgresMigrationTarget(client, deps)
        if (deps.role === 'server') await migrate(target, migrations)
        requireMigrated(await target.version(), migrations)
      })
      deps.record.storeOpened({ engine: 'postgres', schemaVersion: migrations.length })
      return openStore(url, deps)
    },
  }
}

const SEALED_TABLES = `
  select table_name from information_schema.columns
  where table_schema = current_schema() and column_name = 'sealed_with' order by 1`

/** Runs `work` on a connection of its own, until the signal says otherwise. */
async function withClient<Result>(
  url: URL,
  work: (client: pg.Client) => Promise<Result>,
  signal?: AbortSignal,
): Promise<Result> {
  signal?.throwIfAborted()
  const client = new pg.Client(connectionConfig(url))
  const lost = Promise.withResolvers<never>()
  lost.promise.catch(() => undefined)
  const stop = (): void => lost.reject(signal?.reason)
  signal?.addEventListener('abort', stop, { once: true })
  client.on('error', lost.reject)
  try {
    await Promise.race([client.connect(), lost.promise])
    return await Promise.race([work(client), lost.promise])
  } catch (error) {
    throw toStoreError(error, nameStore({ engine: 'postgres', url }))
  } finally {
    signal?.removeEventListener('abort', stop)
    await closeClient(client)
  }
}

async function openStore(url: URL, { record, role }: StoreDeps): Promise<Store> {
  await using opening = new AsyncDisposableStack()
  const pool = opening.adopt(createDeadlinePool(url, record), (used) => used.end())
  const db = new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) })
  const board = opening.use(createNoticeBoard())
  const startListening = (owner: AsyncDisposableStack): Listener =>
    owner.use(startListener({ url, record, onNotice: (notice) => board.post(notice) }))

  // Before anybody can read: so a server misses nothing, and its readers see no first `resync`.
  if (role === 'server') await startListening(opening).listening
  let isListening = role === 'server'
  const opened = opening.move()

  return {
    engine: 'postgres',
    db,
    nowMs: sql<number>`cast(extract(epoch from clock_timestamp()) * 1000 as bigint)`,
    transaction: (work) =>
      withPatience(() => db.transaction().setIsolationLevel('serializable').execute(work), {
        tries: CONFLICT_TRIES,
        mayTryAgain: (error) => {
          if (isConflict(error)) record.transactionConflicted()
          return isConflict(error)
        },
      }),
    hot: createPostgresHotPaths(pool),
    publish: createPublisher(pool),
    notices: (signal) => {
      const notices = board.read(signal)
      if (!isListening) startListening(opened)
      isListening = true
      return notices
    },
    // PostgreSQL stops by itself after a failed fsync; connections then fail until it is well.
    halted: new AbortController().signal,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

/** Notices in the order in which they were published here, whichever connection carries them. */
function createPublisher({ run }: Pick<DeadlinePool, 'run'>): Store['publish'] {
  let last: Promise<unknown> = Promise.resolve()
  return async (notice) => {
    const values = [NOTICE_CHANNEL, JSON.stringify(notice)]
    const sent = last.then(() => run({ ...PUBLISH, values }))
    // A failure is its publisher's; the next one may have more luck.
    last = sent.catch(() => undefined)
    await sent
  }
}

const PUBLISH = { name: 'postern-publish', text: 'select pg_notify($1, $2)' }

/** At least one of those in conflict commits each time, and there are ten connections a node. */
const CONFLICT_TRIES = 50
