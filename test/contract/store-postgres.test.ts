import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { CompiledQuery } from 'kysely'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { inspectStore, type Notice, openStore, type Store } from '../../src/store/index.ts'
import { type PostgresServer, startPostgres } from '../support/postgres.ts'
import { aHostRow } from '../support/store-rows.ts'
import { silentStoreRecord, testStoreDeps } from '../support/stores.ts'

describe('a store in PostgreSQL', () => {
  let server: PostgresServer

  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.stop())

  test('is migrated once by nodes that start at the same time', async () => {
    const url = await server.createDatabase()
    await using nodes = new AsyncDisposableStack()
    const stores = await Promise.all(
      Array.from({ length: 6 }, async () => nodes.use(await openStore({ url }, testStoreDeps()))),
    )
    const rows = await stores[0]?.db.selectFrom('schema_migrations').select('version').execute()
    expect(rows).toEqual([{ version: 1 }, { version: 2 }, { version: 3 }])
  })

  test('carries notices from node to node, in order, and back to the sender', async () => {
    const url = await server.createDatabase()
    await using here = await openStore({ url }, testStoreDeps())
    await using there = await openStore({ url }, testStoreDeps())
    const readers = [read(here), read(there)]
    const hostnames = Array.from({ length: 20 }, (_, n) => `h${n}.customer.test`)
    await Promise.all(hostnames.map((hostname) => here.publish({ kind: 'host-changed', hostname })))
    for (const reader of readers) {
      await expect.poll(() => reader.hostnames()).toEqual(hostnames)
    }
  })

  test('tells a worker to read everything once it listens', async () => {
    const url = await server.createDatabase()
    await using node = await openStore({ url }, testStoreDeps())
    await using worker = await openStore({ url }, testStoreDeps({ role: 'worker' }))
    const reader = read(worker)
    await expect.poll(() => reader.seen).toEqual([{ kind: 'resync' }])
    await node.publish({ kind: 'host-changed', hostname: 'a.customer.test' })
    await expect.poll(() => reader.hostnames()).toEqual(['a.customer.test'])
  })

  test('listens again after the connection was cut, and says that notices may be missed', async () => {
    const url = await server.createDatabase()
    await using here = await openStore({ url }, testStoreDeps())
    await using there = await openStore({ url }, testStoreDeps())
    const reader = read(there)
    await terminateConnections(url)

    await expect.poll(() => reader.seen, { timeout: 10_000 }).toContainEqual({ kind: 'resync' })
    await here.publish({ kind: 'host-changed', hostname: 'after.customer.test' })
    await expect.poll(() => reader.hostnames()).toEqual(['after.customer.test'])
  })

  test('works again by itself when the server comes back', async () => {
    const url = await server.createDatabase()
    await using store = await openStore({ url }, testStoreDeps())
    const reader = read(store)
    await store.db.insertInto('hosts').values(aHostRow('a.customer.test')).execute()
    await server.restart()

    await expect
      .poll(() => store.hot.hasHost('a.customer.test').catch(() => 'not yet'), { timeout: 10_000 })
      .toBe(true)
    await expect.poll(() => reader.seen, { timeout: 10_000 }).toContainEqual({ kind: 'resync' })
  })

  test('survives a connection that is cut in the middle of a query, and goes on', async () => {
    await using way = await startWay(await server.createDatabase())
    await using store = await openStore({ url: way.url }, testStoreDeps())
    const slow = store.db.executeQuery(CompiledQuery.raw('select pg_sleep(20)'))
    const cut = expect(slow).rejects.toMatchObject({ code: 'store/unreachable' })
    await expect.poll(() => countSleepers(server.url)).toBe(1)
    await way.cut()
    await cut
    expect(await store.hot.hasHost('a.customer.test')).toBe(false)
  })

  test('survives a connection that is cut inside a transaction, and undoes that', async () => {
    await using way = await startWay(await server.createDatabase())
    await using store = await openStore({ url: way.url }, testStoreDeps())
    const cut = store.transaction(async (trx) => {
      await trx.insertInto('hosts').values(aHostRow('a.customer.test')).execute()
      await way.cut()
      // The connection is lost while nobody asks anything.
      await setTimeout(50)
      await trx.insertInto('hosts').values(aHostRow('b.customer.test')).execute()
    })
    await expect(cut).rejects.toMatchObject({ code: 'store/unreachable' })
    expect(await Array.fromAsync(store.hot.hostnames())).toEqual([])
  })

  test('ignores what it does not understand from a newer node', async () => {
    const url = await server.createDatabase()
    await using store = await openStore({ url }, testStoreDeps())
    const reader = read(store)
    for (const payload of ['no json', '{"kind":"moon-landed"}', '{}']) {
      const text = `select pg_notify('postern_notices', '${payload}')`
      await store.db.executeQuery(CompiledQuery.raw(text))
    }
    await store.publish({ kind: 'host-changed', hostname: 'a.customer.test' })
    await expect
      .poll(() => reader.seen)
      .toEqual([{ kind: 'host-changed', hostname: 'a.customer.test' }])
  })

  test('runs a transaction again that was in conflict, and counts it', async () => {
    const url = await server.createDatabase()
    let conflicts = 0
    const record = { ...silentStoreRecord(), transactionConflicted: () => (conflicts += 1) }
    await using store = await openStore({ url }, testStoreDeps({ record }))
    const bothHaveRead = Promise.withResolvers<void>()
    let readers = 0
    const insertUnlessAny = (hostname: string): Promise<string> =>
      store.transaction(async (trx) => {
        const any = await trx.selectFrom('hosts').select('hostname').executeTakeFirst()
        readers += 1
        if (readers === 2) bothHaveRead.resolve()
        await bothHaveRead.promise
        if (any) return any.hostname
        await trx.insertInto('hosts').values(aHostRow(hostname)).execute()
        return hostname
      })
    const [one, two] = await Promise.all([
      insertUnlessAny('one.customer.test'),
      insertUnlessAny('two.customer.test'),
    ])
    expect(one).toBe(two)
    expect(conflicts).toBeGreaterThan(0)
  })

  test('says that a server does not answer, without the password', async () => {
    const refused = await closedPort()
    const url = `postgres://postern:s3cret@127.0.0.1:${refused}/postern`
    for (const attempt of [
      () => inspectStore({ url }),
      () => openStore({ url }, testStoreDeps()),
    ]) {
      const error: unknown = await attempt().catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ code: 'store/unreachable' })
      expect(String(error)).toContain(`127.0.0.1:${refused}/postern`)
      expect(String(error)).not.toContain('s3cret')
    }
  })

  test('says that the database or its user is not there', async () => {
    const url = server.url.replace(/postgres$/, 'nowhere')
    const refusal = { code: 'store/unreachable', fix: expect.stringContaining('store.url') }
    await expect(inspectStore({ url })).rejects.toMatchObject(refusal)
  })

  test('gives up in time on a server that accepts and then says nothing', async () => {
    await using silence = await silentServer()
    const url = `postgres://postern@127.0.0.1:${silence.port}/postern`
    await expect(inspectStore({ url })).rejects.toMatchObject({ code: 'store/unreachable' })

    const leaving = new AbortController()
    const inspecting = inspectStore({ url }, leaving.signal)
    leaving.abort(new Error('no longer wanted'))
    await expect(inspecting).rejects.toThrow('no longer wanted')
  })

  test('says that a server can only be read', async () => {
    const url = await server.createDatabase()
    await query(
      url,
      `alter database ${new URL(url).pathname.slice(1)} set default_transaction_read_only = on`,
    )
    await expect(openStore({ url }, testStoreDeps())).rejects.toMatchObject({
      code: 'store/not-writable',
    })
  })

  test('leaves no connection behind', async () => {
    const url = await server.createDatabase()
    {
      await using store = await openStore({ url }, testStoreDeps())
      read(store)
      await Promise.all(Array.from({ length: 20 }, () => store.hot.hasHost('a.customer.test')))
    }
    await expect.poll(() => countConnections(url)).toBe(0)
  })
})

/** Reads notices in the background until the store is closed. */
function read(store: Store) {
  const seen: Notice[] = []
  const reading = async (): Promise<void> => {
    for await (const notice of store.notices(new AbortController().signal)) seen.push(notice)
  }
  void reading()
  return {
    seen,
    hostnames: () => seen.flatMap((notice) => ('hostname' in notice ? [notice.hostname] : [])),
  }
}

async function query(url: string, sql: string, values: unknown[] = []): Promise<unknown[]> {
  const client = new pg.Client(url)
  await client.connect()
  const { rows } = await client.query(sql, values)
  await client.end()
  return rows
}

const OTHER_CONNECTIONS = `
  from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`

async function terminateConnections(url: string): Promise<void> {
  await query(url, `select pg_terminate_backend(pid) ${OTHER_CONNECTIONS}`)
}

async function countConnections(url: string): Promise<number> {
  return (await query(url, `select 1 ${OTHER_CONNECTIONS}`)).length
}

async function countSleepers(url: string): Promise<number> {
  const sleepers = `select 1 from pg_stat_activity where query = 'select pg_sleep(20)'`
  return (await query(url, sleepers)).length
}

/** The way to a server, which can be cut: every connection is reset at both ends. */
async function startWay(target: string) {
  const { hostname, port } = new URL(target)
  const ends = new Set<Socket>()
  const way = createServer((near) => {
    const far = connect(Number(port), hostname)
    for (const end of [near, far]) {
      ends.add(end)
      end.on('error', () => undefined)
      end.on('close', () => ends.delete(end))
    }
    near.pipe(far).pipe(near)
  })
  way.listen(0, '127.0.0.1')
  await once(way, 'listening')
  const address = way.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const url = new URL(target)
  url.port = String(address.port)
  const cut = (): Promise<unknown> => {
    const closed = [...ends].map((end) => once(end, 'close'))
    for (const end of ends) end.resetAndDestroy()
    return Promise.all(closed)
  }
  return {
    url: url.href,
    cut,
    [Symbol.asyncDispose]: async () => {
      way.close()
      await cut()
    },
  }
}

async function closedPort(): Promise<number> {
  await using server = await silentServer()
  return server.port
}

async function silentServer(): Promise<AsyncDisposable & { readonly port: number }> {
  const connections = new Set<{ destroy(): void }>()
  const server: Server = createServer((socket) => void connections.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    port: address.port,
    [Symbol.asyncDispose]: async () => {
      for (const connection of connections) connection.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
