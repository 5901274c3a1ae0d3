import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { childrenOf } from '../support/clients.ts'
import {
  BIN,
  makeDirectory,
  type PosternEnd,
  runPostern,
  startPostern,
} from '../support/postern.ts'

let directory: string

beforeAll(async () => {
  directory = await makeDirectory()
  const first = await startPostern({ directory, settings: { 'edge.workers': 1 } })
  await first.stop()
})

afterAll(() => rmSync(directory, { recursive: true, force: true }))

const serve = (settings: Record<string, string | number> = {}) =>
  runPostern(['serve'], {
    'store.url': `sqlite:${directory}/postern.sqlite`,
    'vault.key': `file:${directory}/master.key`,
    'edge.http': '127.0.0.1:0',
    'edge.https': '127.0.0.1:0',
    'api.listen': '127.0.0.1:0',
    'edge.workers': 1,
    'log.pretty': 'false',
    ...settings,
  })

const databaseHash = () =>
  createHash('sha256')
    .update(readFileSync(join(directory, 'postern.sqlite')))
    .digest('hex')

const spawnServe = (folder: string) =>
  spawn(BIN, ['serve', '--edge.http', '127.0.0.1:0', '--edge.https', '127.0.0.1:0'], {
    cwd: folder,
    env: {
      PATH: process.env['PATH'],
      POSTERN_STORE_URL: `sqlite:${folder}/postern.sqlite`,
      POSTERN_VAULT_KEY: `file:${folder}/master.key`,
      POSTERN_API_LISTEN: '127.0.0.1:0',
    },
    stdio: 'ignore',
  })

/** One sentence with its remedy, and nothing that only a programmer would read. */
const expectOneSentence = ({ output }: PosternEnd) => {
  expect(output).not.toMatch(/^\s+at /m)
  const told = output
    .trim()
    .split('\n')
    .filter((line) => !line.startsWith('{'))
  expect(told.length).toBeLessThanOrEqual(4)
}

describe('what it refuses', () => {
  it('made the key file for its owner alone, and said that production keeps it elsewhere', async () => {
    const fresh = await startPostern({ settings: { 'edge.workers': 1 } })
    const { mode } = statSync(join(fresh.directory, 'master.key'))
    expect(mode & 0o777).toBe(0o600)
    expect(fresh.output()).toMatch(/key.*(?:elsewhere|apart|backup)/i)
    await fresh[Symbol.asyncDispose]()
  })

  it.each([
    [
      'a wrong key',
      () => writeFileSync(join(directory, 'wrong.key'), `${'A'.repeat(43)}=`, { mode: 0o600 }),
      'wrong.key',
    ],
    ['a missing key', () => undefined, 'no-such.key'],
  ])('%s: exit 5 within 5 s, and the database keeps every byte', async (_, prepare, file) => {
    prepare()
    const before = databaseHash()
    const end = await serve({ 'vault.key': `file:${directory}/${file}` })
    expect(end.code).toBe(5)
    expect(end.ms).toBeLessThan(5_000)
    expectOneSentence(end)
    expect(databaseHash()).toBe(before)
    expect(existsSync(join(directory, 'no-such.key'))).toBe(false)
  })

  it('a key file that others can read: exit 5, with the command that mends it', async () => {
    const path = join(directory, 'open.key')
    writeFileSync(path, readFileSync(join(directory, 'master.key')))
    chmodSync(path, 0o644)
    const end = await serve({ 'vault.key': `file:${path}` })
    expect(end.code).toBe(5)
    expect(end.output).toContain('chmod')
    expectOneSentence(end)
  })

  it('a key that is taken from the environment opens the same store', async () => {
    const key = readFileSync(join(directory, 'master.key'), 'utf8').trim()
    const postern = await startPostern({
      directory,
      settings: { 'vault.key': 'env:OPERATORS_KEY', 'edge.workers': 1 },
      env: { OPERATORS_KEY: key },
    })
    expect((await fetch(`${postern.apiUrl}/readyz`)).status).toBe(200)
    expect(postern.output()).not.toContain(key)
    for (const worker of await childrenOf(postern.child.pid ?? 0)) {
      expect(readFileSync(`/proc/${worker}/environ`, 'utf8')).not.toContain(key)
    }
    await postern.stop()
  })

  it('obeys a signal that comes while it starts', async () => {
    for (const ms of [150, 500, 900]) {
      const child = spawnServe(directory)
      await new Promise((resolve) => setTimeout(resolve, ms))
      child.kill('SIGTERM')
      const [code, signal] = await once(child, 'exit')
      // Before the first line of it runs, the system's own answer is the right one.
      expect(code === 0 || signal === 'SIGTERM').toBe(true)
    }
  })

  it('a database from a later version: exit 5, unchanged', async () => {
    const path = join(directory, 'later')
    mkdirSync(path)
    copyFileSync(join(directory, 'postern.sqlite'), join(path, 'postern.sqlite'))
    const database = new Database(join(path, 'postern.sqlite'))
    database.prepare('insert into schema_migrations values (?, ?, ?)').run(9999, 'later', 0)
    database.close()
    const end = await serve({ 'store.url': `sqlite:${path}/postern.sqlite` })
    expect(end.code).toBe(5)
    expectOneSentence(end)
  })

  it('a port that is in use: exit 2, named', async () => {
    const server = await new Promise<Server>((resolve) => {
      const listening = createServer().listen(0, '127.0.0.1', () => resolve(listening))
    })
    const address = server.address()
    const port = typeof address === 'object' && address ? address.port : 0
    for (const option of ['edge.http', 'edge.https', 'api.listen']) {
      const end = await serve({ [option]: `127.0.0.1:${port}` })
      expect(end.code).toBe(2)
      expect(end.output).toContain(String(port))
      expectOneSentence(end)
    }
    server.close()
  })

  it('a second server on the same store or port: exit 2, and the first goes on', async () => {
    const first = await startPostern({ directory, settings: { 'edge.workers': 1 } })
    const sameStore = await serve()
    expect(sameStore.code).toBe(2)
    expectOneSentence(sameStore)
    const other = await makeDirectory()
    const samePort = await runPostern(['serve'], {
      'store.url': `sqlite:${other}/postern.sqlite`,
      'vault.key': `file:${other}/master.key`,
      'edge.http': `127.0.0.1:${first.httpPort}`,
      'edge.https': '127.0.0.1:0',
      'api.listen': '127.0.0.1:0',
      'edge.workers': 1,
    })
    expect(samePort.code).toBe(2)
    expect((await fetch(`${first.apiUrl}/readyz`)).status).toBe(200)
    await first.stop()
    rmSync(other, { recursive: true, force: true })
  })

  it('a place that cannot be written: exit 2', async () => {
    const file = join(directory, 'a-file')
    writeFileSync(file, '')
    const end = await serve({ 'store.url': `sqlite:${file}/postern.sqlite` })
    expect(end.code).toBe(2)
    expectOneSentence(end)
  })

  it('an unknown option: exit 2, with the nearest name', async () => {
    const end = await runPostern(['config', 'check', '--edge.htttp', ':80'])
    expect(end.code).toBe(2)
    expect(end.output).toContain('edge.http')
  })

  it('a host before there is an edge name: exit 2, with the option that is missing', async () => {
    const postern = await startPostern({ directory, settings: { 'edge.workers': 1 } })
    const end = await runPostern(
      ['host', 'add', 'email.customer.test'],
      {},
      {
        env: { POSTERN_API_URL: postern.apiUrl, POSTERN_API_KEY: postern.adminKey },
      },
    )
    expect(end.code).toBe(2)
    expect(end.output).toContain('edge.name')
    await postern.stop()
  })

  it('a server that is not there: exit 4', async () => {
    const end = await runPostern(['host', 'list', '--url', 'http://127.0.0.1:9', '--key', 'x'])
    expect(end.code).toBe(4)
    expectOneSentence(end)
  })

  it('secrets do not show in what is explained', async () => {
    const end = await runPostern(['config', 'explain'], {
      'store.url': 'postgres://postern:hunter2@db.test/postern',
    })
    expect(end.code).toBe(0)
    expect(end.output).not.toContain('hunter2')
  })
})
