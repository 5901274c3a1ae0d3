import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { expect } from 'vitest'
import { openKeys } from '../../src/app/open-keys.ts'
import { keyContext } from '../../src/certs/certificate-row.ts'
import { systemClock } from '../../src/kernel/index.ts'
import { openStore, type Store } from '../../src/store/index.ts'
import { createMetrics, createVaultRecord, openLog } from '../../src/telemetry/index.ts'
import { toSealedBytes, type Vault } from '../../src/vault/index.ts'
import { vaultOptions } from '../../src/vault/options.ts'
import { aHostname } from './api-world.ts'
import { createTestCa, newKey, type TestCa } from './certificates.ts'
import {
  eventually,
  makeDirectory,
  type RunningPostern,
  runPostern,
  startPostern,
} from './postern.ts'
import { createSeededRandom } from './seeded-random.ts'
import { aCertificateRow, aHostRow } from './store-rows.ts'
import { testStoreDeps } from './stores.ts'
import { freePort } from './test-authority.ts'

export interface RotationStory {
  readonly keys: number
  readonly kills: number
  readonly seed: string
}

/** What was seen, for the reader of the test's output. */
export interface RotationFigures {
  readonly kills: number
  /** Kills after which some secrets were under the new key and some under an old one. */
  readonly midway: number
  readonly rotations: number
  readonly handshakes: number
  readonly failedHandshakes: readonly string[]
  readonly unreadable: number
}

/** About as long as a rotation takes, so that a kill may hit each of its batches, or none. */
const LIFE_MS_PER_KEY = 0.25
const CLIENTS = 3
const ROTATED_MS_MAX = 120_000

/**
 * Rotates the master key over and over while the program is killed (kill -9) at random moments and
 * clients shake hands all the time, and in the end takes away every old key: each certificate must
 * open with the last one alone, and no handshake may have failed that met a running server.
 */
export async function tellRotationStory(story: RotationStory): Promise<RotationFigures> {
  const { keys, kills, seed } = story
  await using running = new AsyncDisposableStack()
  const directory = await makeDirectory()
  running.defer(() => rm(directory, { recursive: true, force: true }))
  const [http, https] = [await freePort(), await freePort()]
  const settings = {
    'edge.http': `127.0.0.1:${http}`,
    'edge.https': `127.0.0.1:${https}`,
    'edge.workers': 2,
    'edge.name': 'edge.platform.test',
    'acme.ca': 'https://127.0.0.1:9/directory',
    'net.dns': '127.0.0.1:9',
  }
  const start = () => startPostern({ directory, settings })
  await (await start()).stop()
  const ca = createTestCa()
  const hosts = Array.from({ length: keys }, (_, index) => `rotation-${index}.customer.test`)
  await withStore(directory, (opened) => seedHosts(opened, ca, hosts))

  const random = createSeededRandom(seed)
  const clients = running.use(startClients({ port: https, ca, hosts, random }))
  let postern = await start()
  running.defer(() => postern.stop().then(() => undefined))
  let midway = 0
  let rotations = 0
  clients.serverIs('up')
  for (let kill = 0; kill < kills; kill += 1) {
    if (!(await isMoving(postern))) {
      await prependKey(directory)
      rotations += 1
      const { status } = await postern.api('/keys/rotate', { method: 'POST', body: {} })
      expect(status).toBe(202)
    }
    await systemClock.sleep(LIFE_MS_PER_KEY * keys * random.fraction())
    clients.serverIs('down')
    await killNow(postern)
    if (await withStore(directory, isMixed)) midway += 1
    postern = await startAgain(start)
    clients.serverIs('up')
  }
  await eventually(
    () => isUnderWay(postern),
    (isSo) => !isSo,
    ROTATED_MS_MAX,
  )
  await retireOldKeys(postern)
  const seen = await clients.stop()

  await postern.stop()
  postern = await start()
  const unreadable = await withStore(directory, countUnreadable, postern)
  for (const host of hosts) {
    const end = await shakeHands({ port: https, ca, host })
    if (end !== 'ok') seen.failed.push(`${host} in the end: ${end}`)
  }
  return {
    ...{ kills, midway, rotations, unreadable },
    handshakes: seen.done + hosts.length,
    failedHandshakes: seen.failed,
  }
}

/** Not waiting for its workers: they notice by themselves, while the next one starts. */
async function killNow({ child }: RunningPostern): Promise<void> {
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}

/** Workers of the killed one may hold the ports for a moment. */
async function startAgain(start: () => Promise<RunningPostern>): Promise<RunningPostern> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await start()
    } catch (error) {
      if (tries > 40 || !/port-in-use|already-served|is in use/.test(String(error))) throw error
      await systemClock.sleep(250)
    }
  }
}

async function isUnderWay(postern: RunningPostern): Promise<boolean> {
  const { status, body } = await postern.api('/keys')
  expect(status).toBe(200)
  return body.rotation !== null && body.rotation.finishedAt === null
}

async function isMoving(postern: RunningPostern): Promise<boolean> {
  const { rotation } = (await postern.api('/keys')).body
  return rotation !== null && rotation.left > 0
}

/** As an operator would: a new key before those that are there. */
async function prependKey(directory: string): Promise<void> {
  const path = join(directory, 'master.key')
  const old = await readFile(path, 'utf8')
  await writeFile(path, `${randomBytes(32).toString('base64')}\n${old}`, { mode: 0o600 })
}

/** By the command, which follows it to its end. */
async function retireOldKeys(postern: RunningPostern): Promise<void> {
  const { apiUrl, adminKey, directory } = postern
  const end = await runPostern(
    ['key', 'rotate', '--retire-old', '--json'],
    {},
    {
      env: { POSTERN_API_URL: apiUrl, POSTERN_API_KEY: adminKey },
    },
  )
  expect(end.output).toMatch(/"finishedAt":"/)
  expect(end.code).toBe(0)
  const lines = (await readFile(join(directory, 'master.key'), 'utf8')).trim().split('\n')
  expect(lines).toHaveLength(1)
  const { body } = await postern.api('/keys')
  expect(body.keys).toMatchObject([{ use: 'seals' }])
}

interface OpenedStore {
  readonly store: Store
  readonly vault: Vault
}

/** Opens the store with the keys of the file: as a server while none runs, else beside it. */
async function withStore<Result>(
  directory: string,
  work: (opened: OpenedStore) => Promise<Result>,
  beside?: RunningPostern,
): Promise<Result> {
  const log = openLog({ level: 'silent', pretty: false })
  const record = createVaultRecord({ log, metrics: createMetrics() })
  const url = `sqlite:${directory}/postern.sqlite`
  const { vault } = await openKeys(
    {
      store: { url },
      vault: vaultOptions.parse({ key: `file:${directory}/master.key` }),
    },
    { clock: systemClock, variables: { take: () => undefined }, record },
    AbortSignal.timeout(30_000),
  )
  const role = beside ? 'worker' : 'server'
  await using store = await openStore({ url }, testStoreDeps({ role }))
  return await work({ store, vault })
}

async function seedHosts({ store, vault }: OpenedStore, ca: TestCa, hosts: readonly string[]) {
  const privateKey = newKey()
  const keyPem = privateKey.export({ format: 'pem', type: 'pkcs8' })
  for (let from = 0; from < hosts.length; from += 100) {
    const some = hosts.slice(from, from + 100)
    await store.db
      .insertInto('hosts')
      .values(some.map((host) => aHostRow(host)))
      .execute()
    const rows = some.map((host) => {
      const { chainPem, serial, notBefore, notAfter } = ca.issue(host, { privateKey })
      const owner = keyContext(aHostname(host), host)
      return aCertificateRow({
        ...{ id: host, hostname: host, serial, chain_pem: chainPem },
        ...{ not_before: notBefore.getTime(), not_after: notAfter.getTime() },
        renew_at: notAfter.getTime(),
        sealed_key: vault.seal(Buffer.from(keyPem), owner),
      })
    })
    await store.db.insertInto('certificates').values(rows).execute()
  }
}

async function isMixed({ store, vault }: OpenedStore): Promise<boolean> {
  const rows = await store.db.selectFrom('certificates').select('sealed_key').execute()
  return new Set(rows.map((row) => vault.keyIdOf(toSealedBytes(row.sealed_key)))).size > 1
}

async function countUnreadable({ store, vault }: OpenedStore): Promise<number> {
  const rows = await store.db.selectFrom('certificates').selectAll().execute()
  return rows.filter(({ id, hostname, sealed_key }) => {
    try {
      vault.open(toSealedBytes(sealed_key), keyContext(aHostname(hostname), id)).fill(0)
      return false
    } catch {
      return true
    }
  }).length
}

interface Visit {
  readonly port: number
  readonly ca: TestCa
  readonly host: string
}

/** A full handshake with a verified certificate; or what went wrong. */
function shakeHands({ port, ca, host }: Visit): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({
      ...{ host: '127.0.0.1', port, servername: host, ca: ca.rootPem },
      timeout: 10_000,
    })
    const end = (how: string): void => {
      socket.destroy()
      resolve(how)
    }
    socket.once('secureConnect', () => end(socket.authorized ? 'ok' : 'not authorized'))
    socket.once('timeout', () => end('no answer'))
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message))
    socket.once('close', () => end('closed'))
  })
}

/** What a client may see of a server that was killed: nobody there, or gone in mid-sentence. */
const OF_A_DEAD_SERVER = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'closed', 'no answer'])

/** Clients that shake hands all the time, each with the next host. */
function startClients({
  random,
  hosts,
  ...where
}: Omit<Visit, 'host'> & {
  readonly hosts: readonly string[]
  readonly random: { fraction(): number }
}) {
  const seen = { done: 0, failed: [] as string[] }
  let isUp = false
  let lives = 0
  let isStopped = false
  const visitAgain = async (): Promise<void> => {
    while (!isStopped) {
      const life = lives
      const wasUp = isUp
      const host = hosts[Math.floor(random.fraction() * hosts.length)] ?? ''
      const end = await shakeHands({ ...where, host })
      seen.done += end === 'ok' ? 1 : 0
      const isExcused = OF_A_DEAD_SERVER.has(end) && !(wasUp && isUp && life === lives)
      if (end !== 'ok' && !isExcused) seen.failed.push(`${host}: ${end}`)
      await systemClock.sleep(end === 'ok' ? 1 : 20)
    }
  }
  const visiting = Array.from({ length: CLIENTS }, visitAgain)
  const stop = async () => {
    isStopped = true
    await Promise.all(visiting)
    return seen
  }
  return {
    serverIs: (how: 'up' | 'down') => {
      isUp = how === 'up'
      lives += 1
    },
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop()
    },
  }
}
