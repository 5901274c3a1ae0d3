import { createHash } from 'node:crypto'
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CompiledQuery } from 'kysely'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { inspectStore, openStore } from '../../src/store/index.ts'
import { killWriterAfter, startStoreWriter } from '../support/store-process.ts'
import { aHitRow, aHostRow, SCHEMA_VERSION } from '../support/store-rows.ts'
import { testStoreDeps } from '../support/stores.ts'

describe('a store in a SQLite file', () => {
  let folder: string
  let path: string
  let url: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'postern-sqlite-'))
    path = join(folder, 'data', 'postern.sqlite')
    url = `sqlite:${path}`
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  test('is readable by its owner alone, and so is its directory', async () => {
    await using _store = await openStore({ url }, testStoreDeps())
    expect((await stat(join(folder, 'data'))).mode & 0o777).toBe(0o700)
    for (const file of await readdir(join(folder, 'data'))) {
      expect([file, (await stat(join(folder, 'data', file))).mode & 0o777]).toEqual([file, 0o600])
    }
  })

  test('refuses a second server, lets workers in, and is free when the server has gone', async () => {
    {
      await using server = await openStore({ url }, testStoreDeps())
      await expect(openStore({ url }, testStoreDeps())).rejects.toMatchObject({
        code: 'store/already-served',
      })
      await using worker = await openStore({ url }, testStoreDeps({ role: 'worker' }))
      await worker.hot.appendHits([aHitRow()])
      expect((await server.db.selectFrom('hits').selectAll().execute()).length).toBe(1)
    }
    await using _next = await openStore({ url }, testStoreDeps())
  })

  test('refuses a second server in another process, until that is killed', async () => {
    await using writer = startStoreWriter({ url })
    await writer.acknowledged(1)
    await expect(openStore({ url }, testStoreDeps())).rejects.toMatchObject({
      code: 'store/already-served',
    })
    await writer.kill()
    await using _next = await openStore({ url }, testStoreDeps())
  })

  test('takes the writes of several processes without blocking one of them', async () => {
    await using server = startStoreWriter({ url, name: 'server' })
    await server.acknowledged(1)
    await using one = startStoreWriter({ url, name: 'one', role: 'worker' })
    await using two = startStoreWriter({ url, name: 'two', role: 'worker' })
    await Promise.all([one.acknowledged(50), two.acknowledged(50), server.acknowledged(50)])
  })

  test('is inspected without a byte being changed after a clean end', async () => {
    {
      await using _store = await openStore({ url }, testStoreDeps())
    }
    const before = await fingerprint(join(folder, 'data'))
    expect(await inspectStore({ url })).toMatchObject({
      kind: 'present',
      schemaVersion: SCHEMA_VERSION,
    })
    expect(await fingerprint(join(folder, 'data'))).toEqual(before)
  })

  test('is inspected without a byte being changed after kill -9, and the log is read', async () => {
    await killWriterAfter({ url }, 5)
    const before = await fingerprint(join(folder, 'data'))
    expect(Object.keys(before)).toContain('postern.sqlite-wal')
    expect(await inspectStore({ url })).toMatchObject({
      kind: 'present',
      schemaVersion: SCHEMA_VERSION,
    })
    expect(await fingerprint(join(folder, 'data'))).toEqual(before)
  })

  test('is inspected at once when it was killed in its very first transaction', async () => {
    await killWriterAfter({ url }, 1)
    // All that is there then: the header of the log, and an index that nobody has filled.
    await truncate(`${path}-wal`, 32)
    await writeFile(`${path}-shm`, Buffer.alloc(32 * 1024))
    const before = await fingerprint(join(folder, 'data'))
    expect(await inspectStore({ url })).toEqual({ kind: 'empty' })
    expect(await fingerprint(join(folder, 'data'))).toEqual(before)
    await using _next = await openStore({ url }, testStoreDeps())
  }, 5000)

  test('is inspected where nothing is yet without making anything', async () => {
    expect(await inspectStore({ url })).toEqual({ kind: 'empty' })
    expect(await readdir(folder)).toEqual([])
  })

  test('is inspected while a server in another process works on it', async () => {
    await using writer = startStoreWriter({ url })
    await writer.acknowledged(1)
    expect(await inspectStore({ url })).toMatchObject({
      kind: 'present',
      schemaVersion: SCHEMA_VERSION,
    })
    await writer.acknowledged(20)
  })

  test('starts from a copy of file and log without the index', async () => {
    const acknowledged = await killWriterAfter({ url }, 10)
    await rm(`${path}-shm`)
    expect(await inspectStore({ url })).toMatchObject({ kind: 'present' })
    await using store = await openStore({ url }, testStoreDeps())
    const hits = await store.db.selectFrom('hits').select('id').execute()
    expect(hits.length).toBeGreaterThanOrEqual(acknowledged.length)
  })

  test('starts over when it was killed while the file was being made', async () => {
    await mkdir(join(folder, 'data'))
    await writeFile(`${path}.new`, 'half a file')
    await writeFile(`${path}.new-journal`, 'half a journal')
    await writeFile(path, '')
    expect(await inspectStore({ url })).toEqual({ kind: 'empty' })
    await using store = await openStore({ url }, testStoreDeps())
    expect(await store.hot.hasHost('a.customer.test')).toBe(false)
    expect(await readdir(join(folder, 'data'))).not.toContain('postern.sqlite.new')
  })

  test('refuses a file that is no database, and leaves it as it is', async () => {
    await mkdir(join(folder, 'data'))
    await writeFile(path, 'a letter to my grandmother, long enough to have a header\n'.repeat(99))
    const before = await readFile(path)
    await expect(inspectStore({ url })).rejects.toMatchObject({ code: 'store/corrupt' })
    await expect(openStore({ url }, testStoreDeps())).rejects.toMatchObject({
      code: 'store/corrupt',
    })
    expect(await readFile(path)).toEqual(before)
  })

  test('says in one sentence that a place cannot be written to', async () => {
    await writeFile(join(folder, 'data'), 'a file where the directory should be')
    const refusal = { code: 'store/not-writable', fix: expect.stringContaining(path) }
    await expect(inspectStore({ url })).rejects.toMatchObject(refusal)
    await expect(openStore({ url }, testStoreDeps())).rejects.toMatchObject(refusal)
  })

  test.skipIf(process.getuid?.() === 0)(
    'refuses a directory without write access (not as root, who may write anywhere)',
    async () => {
      await mkdir(join(folder, 'data'), { mode: 0o500 })
      const refusal = { code: 'store/not-writable' }
      await expect(inspectStore({ url })).rejects.toMatchObject(refusal)
      await expect(openStore({ url }, testStoreDeps())).rejects.toMatchObject(refusal)
      await chmod(join(folder, 'data'), 0o700)
    },
  )

  test('means the same database, and the same lock, by a link', async () => {
    await using _server = await openStore({ url }, testStoreDeps())
    const link = join(folder, 'link.sqlite')
    await symlink(path, link)
    await expect(openStore({ url: `sqlite:${link}` }, testStoreDeps())).rejects.toMatchObject({
      code: 'store/already-served',
    })
  })

  test('changes nothing when the disk is full, and goes on when there is space', async () => {
    await using store = await openStore({ url }, testStoreDeps())
    await store.db.insertInto('hosts').values(aHostRow('a.customer.test')).execute()
    // The limit of the file stands in for that of the disk: SQLite reports both alike.
    await store.db.executeQuery(CompiledQuery.raw('pragma max_page_count = 40'))
    const tooMuch = aHitRow({ user_agent: 'x'.repeat(300_000) })

    const filling = store.transaction(async (trx) => {
      await trx.insertInto('hosts').values(aHostRow('b.customer.test')).execute()
      await trx.insertInto('hits').values(tooMuch).execute()
    })
    await expect(filling).rejects.toMatchObject({ code: 'store/disk-full' })
    await expect(store.hot.appendHits([tooMuch])).rejects.toMatchObject({
      code: 'store/disk-full',
    })
    expect(store.halted.aborted).toBe(false)
    expect(await Array.fromAsync(store.hot.hostnames())).toEqual([['a.customer.test']])

    await store.db.executeQuery(CompiledQuery.raw('pragma max_page_count = 100000'))
    await store.hot.appendHits([tooMuch])
  })

  test('keeps writing durable and old keys overwritten', async () => {
    await using store = await openStore({ url }, testStoreDeps())
    const settings = ['journal_mode', 'synchronous', 'secure_delete', 'foreign_keys']
    const values = await Promise.all(
      settings.map(
        async (name) => (await store.db.executeQuery(CompiledQuery.raw(`pragma ${name}`))).rows[0],
      ),
    )
    expect(values).toEqual([
      { journal_mode: 'wal' },
      { synchronous: 2 },
      { secure_delete: 1 },
      { foreign_keys: 1 },
    ])
  })
})

/** Every file's bytes, by name. */
async function fingerprint(folder: string): Promise<Record<string, string>> {
  const entries = await Promise.all(
    (await readdir(folder)).map(async (name) => {
      const content = await readFile(join(folder, name))
      return [name, createHash('sha256').update(content).digest('hex')]
    }),
  )
  return Object.fromEntries(entries)
}
