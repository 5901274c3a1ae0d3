import { expect, test } from 'vitest'
import { inspectStore, isUniqueViolation, openStore, type Store } from '../../src/store/index.ts'
import { killWriterAfter } from '../support/store-process.ts'
import { aCertificateRow, aHitRow, aHostRow, SCHEMA_VERSION } from '../support/store-rows.ts'
import { type TestEngine, testStoreDeps } from '../support/stores.ts'
import { take } from '../support/take.ts'

/** What every engine of the store promises. */
export function describeStore({ openTestStore, newStoreUrl }: TestEngine): void {
  const HOST = 'email.customer.test'

  test('gives back what was written, value by value', async () => {
    const store = await openTestStore()
    const row = aCertificateRow()
    await store.db.insertInto('certificates').values(row).execute()
    expect(await store.db.selectFrom('certificates').selectAll().execute()).toMatchObject([row])
  })

  test('gives counts and the largest instants as numbers', async () => {
    const store = await openTestStore()
    const farAway = Number.MAX_SAFE_INTEGER
    await store.hot.appendHits([aHitRow({ at: farAway })])
    const { count, latest } = await store.db
      .selectFrom('hits')
      .select(({ fn }) => [fn.countAll<number>().as('count'), fn.max('at').as('latest')])
      .executeTakeFirstOrThrow()
    expect([count, latest]).toEqual([1, farAway])
  })

  test('undoes the whole transaction when its work throws', async () => {
    const store = await openTestStore()
    const failing = store.transaction(async (trx) => {
      await trx.insertInto('hosts').values(aHostRow(HOST)).execute()
      throw new Error('changed my mind')
    })
    await expect(failing).rejects.toThrow('changed my mind')
    expect(await store.hot.hasHost(HOST)).toBe(false)
  })

  test('shows nothing of a transaction before it ends', async () => {
    const store = await openTestStore()
    const written = Promise.withResolvers<void>()
    const mayEnd = Promise.withResolvers<void>()
    const transaction = store.transaction(async (trx) => {
      await trx.insertInto('hosts').values(aHostRow(HOST)).execute()
      written.resolve()
      await mayEnd.promise
    })
    await written.promise
    expect(await store.hot.hasHost(HOST)).toBe(false)
    mayEnd.resolve()
    await transaction
    expect(await store.hot.hasHost(HOST)).toBe(true)
  })

  test('loses no update of writers that read first, on two connections at once', async () => {
    const url = await newStoreUrl()
    await using server = await openStore({ url }, testStoreDeps())
    await using worker = await openStore({ url }, testStoreDeps({ role: 'worker' }))
    await server.db.insertInto('hosts').values(aHostRow(HOST)).execute()

    const addOne = (store: Store): Promise<unknown> =>
      store.transaction(async (trx) => {
        const { failures } = await trx
          .selectFrom('hosts')
          .select('failures')
          .where('hostname', '=', HOST)
          .executeTakeFirstOrThrow()
        await trx
          .updateTable('hosts')
          .set({ failures: failures + 1 })
          .execute()
      })
    await Promise.all(Array.from({ length: 40 }, (_, n) => addOne(n % 2 ? server : worker)))

    const host = await server.db.selectFrom('hosts').selectAll().executeTakeFirstOrThrow()
    expect(host.failures).toBe(40)
  })

  test('says which failure is a key that is taken', async () => {
    const store = await openTestStore()
    const insert = (): Promise<unknown> =>
      store.db.insertInto('hosts').values(aHostRow(HOST)).execute()
    await insert()
    const taken: unknown = await insert().catch((error: unknown) => error)
    expect(isUniqueViolation(taken)).toBe(true)

    const wrongState = store.db
      .insertInto('hosts')
      .values(aHostRow('other.customer.test', { state: 'happy' }))
      .execute()
    expect(isUniqueViolation(await wrongState.catch((error: unknown) => error))).toBe(false)
  })

  test('keeps at most one current certificate for a host', async () => {
    const store = await openTestStore()
    const insert = (id: string, current: number): Promise<unknown> =>
      store.db
        .insertInto('certificates')
        .values(aCertificateRow({ id, is_current: current }))
        .execute()
    await insert('a', 1)
    await insert('b', 0)
    await insert('c', 0)
    expect(isUniqueViolation(await insert('d', 1).catch((error: unknown) => error))).toBe(true)
  })

  test('keeps at most one open order for a host', async () => {
    const store = await openTestStore()
    const insert = (id: string, state: string): Promise<unknown> =>
      store.db
        .insertInto('acme_orders')
        .values({
          id,
          state,
          account_id: 'account-1',
          hostname: HOST,
          url: null,
          sealed_key: Buffer.from([1]),
          certificate_id: null,
          problem: null,
          created_at: 1,
          updated_at: 1,
        })
        .execute()
    await insert('a', 'issued')
    await insert('b', 'failed')
    await insert('c', 'intended')
    expect(isUniqueViolation(await insert('d', 'placed').catch((error: unknown) => error))).toBe(
      true,
    )
  })

  test('serves the current certificate of a host, until the host is retired', async () => {
    const store = await openTestStore()
    const row = aCertificateRow({ key_type: 'rsa', revoked_at: 5 })
    await store.db.insertInto('hosts').values(aHostRow(HOST)).execute()
    await store.db
      .insertInto('certificates')
      .values([row, aCertificateRow({ id: 'older', is_current: 0 })])
      .execute()
    expect(await store.hot.servedCertificate(HOST)).toEqual({
      ...{ id: row.id, serial: row.serial, not_after: row.not_after, chain_pem: row.chain_pem },
      ...{ sealed_key: row.sealed_key, key_type: 'rsa', revoked_at: 5 },
    })
    expect(await store.hot.servedCertificate('other.customer.test')).toBeUndefined()

    await store.db.updateTable('hosts').set({ state: 'retired' }).execute()
    expect(await store.hot.servedCertificate(HOST)).toBeUndefined()
    expect(await store.hot.hasHost(HOST)).toBe(false)
  })

  test('shows a key authorization to its host and token only, until it expires', async () => {
    const { db, hot } = await openTestStore()
    await db
      .insertInto('challenges')
      .values({ hostname: HOST, token: 'token', key_authorization: 'proof', expires_at: 1000 })
      .execute()
    expect(await hot.keyAuthorization(HOST, 'token', 999)).toBe('proof')
    expect(await hot.keyAuthorization(HOST, 'token', 1000)).toBeUndefined()
    expect(await hot.keyAuthorization(HOST, 'TOKEN', 999)).toBeUndefined()
    expect(await hot.keyAuthorization('other.customer.test', 'token', 999)).toBeUndefined()
  })

  test('lists every host that is not retired once, in batches', async () => {
    const store = await openTestStore()
    const hostnames = Array.from({ length: 10_500 }, (_, n) => `h${n}.customer.test`)
    await store.transaction(async (trx) => {
      for (let start = 0; start < hostnames.length; start += 1000) {
        const rows = hostnames.slice(start, start + 1000).map((name) => aHostRow(name))
        await trx.insertInto('hosts').values(rows).execute()
      }
      await trx
        .insertInto('hosts')
        .values(aHostRow(HOST, { state: 'retired' }))
        .execute()
    })
    const batches = await Array.fromAsync(store.hot.hostnames())
    expect(batches.length).toBe(2)
    expect(new Set(batches.flat())).toEqual(new Set(hostnames))
    expect(batches.flat().length).toBe(hostnames.length)
  })

  test('appends hits once, however often they are handed in', async () => {
    const store = await openTestStore()
    const first = aHitRow({ id: 'a', target: null })
    await store.hot.appendHits([])
    await store.hot.appendHits([first])
    await store.hot.appendHits([{ ...first, kind: 'open' }, aHitRow({ id: 'b' })])
    await store.hot.appendHits([aHitRow({ id: 'c' }), aHitRow({ id: 'c' })])
    const hits = await store.db.selectFrom('hits').selectAll().orderBy('id').execute()
    expect(hits).toEqual([first, aHitRow({ id: 'b' }), aHitRow({ id: 'c' })])
  })

  test('appends hits while a transaction is open, and not as a part of it', async () => {
    const store = await openTestStore()
    const failing = store.transaction(async (trx) => {
      await trx.insertInto('hosts').values(aHostRow(HOST)).execute()
      throw new Error('undone')
    })
    await Promise.all([
      expect(failing).rejects.toThrow('undone'),
      store.hot.appendHits([aHitRow()]),
    ])
    expect((await store.db.selectFrom('hits').selectAll().execute()).length).toBe(1)
  })

  test('hands notices to every reader, in order, until the reader has enough', async () => {
    const store = await openTestStore()
    const leaving = new AbortController()
    const [left, right] = [store.notices(leaving.signal), store.notices(leaving.signal)]
    for (const hostname of ['a.test.test', 'b.test.test', 'c.test.test']) {
      void store.publish({ kind: 'host-changed', hostname })
    }
    const seen = await Promise.all([take(left, 3), take(right, 3)])
    const expected = ['a.test.test', 'b.test.test', 'c.test.test'].map((hostname) => ({
      kind: 'host-changed',
      hostname,
    }))
    expect(seen).toEqual([expected, expected])
  })

  test('ends the notices when the reader or the store ends', async () => {
    const store = await openTestStore()
    const leaving = new AbortController()
    const [left, right] = [
      Array.fromAsync(store.notices(leaving.signal)),
      Array.fromAsync(store.notices(new AbortController().signal)),
    ]
    leaving.abort()
    expect(await left).toEqual([])
    await store[Symbol.asyncDispose]()
    expect(await right).toEqual([])
  })

  test('is empty before the first start, and knows its version and key checks after', async () => {
    const url = await newStoreUrl()
    expect(await inspectStore({ url })).toEqual({ kind: 'empty' })
    const check = { key_id: 'k1', sealed: Buffer.from([9, 8, 7]), created_at: 5 }
    {
      await using store = await openStore({ url }, testStoreDeps())
      await store.db.insertInto('key_checks').values(check).execute()
    }
    expect(await inspectStore({ url })).toEqual({
      kind: 'present',
      schemaVersion: SCHEMA_VERSION,
      keyChecks: [check],
      sealedWith: [],
    })
  })

  test('knows under which keys secrets rest, however many there are, without being opened', async () => {
    const url = await newStoreUrl()
    const envelope = (key: number): Buffer =>
      Buffer.concat([Buffer.from([1]), Buffer.alloc(8, key), Buffer.alloc(90, 9)])
    {
      await using store = await openStore({ url }, testStoreDeps())
      const rows = Array.from({ length: 600 }, (_, count) =>
        aCertificateRow({
          ...{ id: `c${count}`, hostname: `h${count}.test`, serial: `${count}` },
          sealed_key: count % 3 === 0 ? Buffer.alloc(0) : envelope(count % 3),
        }),
      )
      for (const start of [0, 300]) {
        const some = rows.slice(start, start + 300)
        await store.db.insertInto('certificates').values(some).execute()
      }
      const key = { id: 'l1', sealed: envelope(0xab), created_at: 1, retired_at: null }
      await store.db.insertInto('link_keys').values(key).execute()
    }
    expect(await inspectStore({ url })).toMatchObject({
      sealedWith: ['01'.repeat(8), '02'.repeat(8), 'ab'.repeat(8)],
    })
  })

  test('migrates once', async () => {
    const url = await newStoreUrl()
    for (let start = 0; start < 2; start += 1) {
      await using store = await openStore({ url }, testStoreDeps())
      const rows = await store.db.selectFrom('schema_migrations').selectAll().execute()
      expect(rows).toEqual([
        { version: 1, name: 'foundation', applied_at: expect.any(Number) },
        { version: 2, name: 'years', applied_at: expect.any(Number) },
        { version: 3, name: 'tickets', applied_at: expect.any(Number) },
      ])
    }
  })

  test('refuses a schema newer than its own, and leaves it as it is', async () => {
    const url = await newStoreUrl()
    {
      await using store = await openStore({ url }, testStoreDeps())
      const future = { version: 99, name: 'future', applied_at: 1 }
      await store.db.insertInto('schema_migrations').values(future).execute()
    }
    const refusal = { code: 'store/newer-schema' }
    await expect(inspectStore({ url })).rejects.toMatchObject(refusal)
    await expect(openStore({ url }, testStoreDeps())).rejects.toMatchObject(refusal)
    await expect(openStore({ url }, testStoreDeps({ role: 'worker' }))).rejects.toMatchObject(
      refusal,
    )
  })

  test('refuses a worker before the server has migrated, and makes nothing for it', async () => {
    const url = await newStoreUrl()
    const opening = openStore({ url }, testStoreDeps({ role: 'worker' }))
    await expect(opening).rejects.toMatchObject({ code: 'store/not-migrated' })
    expect(await inspectStore({ url })).toEqual({ kind: 'empty' })
  })

  test('has everything that was acknowledged after kill -9, and starts again at once', async () => {
    const url = await newStoreUrl()
    for (let round = 0; round < 3; round += 1) {
      const acknowledged = await killWriterAfter({ url, name: `round${round}` }, 20 + 17 * round)
      expect(await inspectStore({ url })).toMatchObject({
        kind: 'present',
        schemaVersion: SCHEMA_VERSION,
      })

      await using store = await openStore({ url }, testStoreDeps())
      const hits = await store.db.selectFrom('hits').select('id').execute()
      const kept = new Set(hits.map(({ id }) => id))
      expect(acknowledged.filter((id) => !kept.has(id))).toEqual([])
    }
  })
}
