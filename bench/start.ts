import { readFile, rm } from 'node:fs/promises'
import { openKeys } from '../src/app/open-keys.ts'
import { systemClock, systemRandom } from '../src/kernel/index.ts'
import { openStore } from '../src/store/index.ts'
import {
  createMetrics,
  createStoreRecord,
  createVaultRecord,
  openLog,
} from '../src/telemetry/index.ts'
import type { Vault } from '../src/vault/index.ts'
import { createTestCa, type TestCa } from '../test/support/certificates.ts'
import { childrenOf } from '../test/support/clients.ts'
import { makeDirectory, type RunningPostern, startPostern } from '../test/support/postern.ts'
import { freePort } from '../test/support/test-authority.ts'
import { type BenchOptions, type Figure, median } from './support/figures.ts'
import { firstHandshake } from './support/handshake.ts'

/**
 * A start with many certificates in SQLite: from starting the process to the first verified
 * handshake, and what a worker then holds in memory. The peer is Postern itself with 1,000.
 */
export async function benchStart({ quick, say }: BenchOptions): Promise<readonly Figure[]> {
  const few = 1_000
  const many = quick ? 20_000 : 100_000
  const rounds = quick ? 3 : 5
  const ca = createTestCa()
  const stores = new Map<number, string>()
  for (const hosts of [few, many]) {
    say(`start: preparing ${hosts} hosts with certificates`)
    stores.set(hosts, await prepareStore(hosts, ca))
  }
  const seen = new Map<number, Start[]>([
    [few, []],
    [many, []],
  ])
  for (let round = 0; round < rounds; round += 1) {
    for (const [hosts, directory] of stores) {
      const start = await measureStart(directory, hosts, ca)
      say(
        `start: ${hosts} hosts, ${start.ms.toFixed(0)} ms, ${start.workerMb.toFixed(1)} MB a worker`,
      )
      seen.get(hosts)?.push(start)
    }
  }
  for (const directory of stores.values()) await rm(directory, { recursive: true, force: true })
  return figures(few, many, seen)
}

interface Start {
  /** From starting the process to the first verified handshake. */
  readonly ms: number
  /** Resident memory of the largest worker, after that. */
  readonly workerMb: number
}

function figures(
  few: number,
  many: number,
  seen: ReadonlyMap<number, readonly Start[]>,
): readonly Figure[] {
  const of = (hosts: number, pick: (start: Start) => number) =>
    median((seen.get(hosts) ?? []).map(pick))
  const ms = (start: Start) => start.ms
  const mb = (start: Start) => start.workerMb
  return [
    { name: `first handshake, ${few} hosts`, value: of(few, ms), unit: 'ms' },
    {
      ...{ name: `first handshake, ${many} hosts`, value: of(many, ms), unit: 'ms' },
      aim: { atMost: 1000 },
    },
    {
      name: 'ratio of the two',
      value: of(many, ms) / of(few, ms),
      unit: '×',
      aim: { atMost: 1.1 },
    },
    { name: `memory of a worker, ${few} hosts`, value: of(few, mb), unit: 'MB' },
    {
      ...{ name: `memory of a worker, ${many} hosts`, value: of(many, mb), unit: 'MB' },
      aim: { atMost: 120 },
    },
    {
      name: 'ratio of the two',
      value: of(many, mb) / of(few, mb),
      unit: '×',
      aim: { atMost: 1.1 },
    },
  ]
}

async function measureStart(directory: string, hosts: number, ca: TestCa): Promise<Start> {
  const httpsPort = await freePort()
  const starting = startPostern({
    directory,
    settings: {
      'edge.https': `127.0.0.1:${httpsPort}`,
      'edge.name': 'edge.test',
      'log.level': 'info',
    },
  })
  const shaken = firstHandshake(httpsPort, hostnameOf(hosts - 1), ca.rootPem, 20_000)
  shaken.catch(() => undefined)
  await using postern = await starting
  const ms = await shaken
  return { ms, workerMb: await largestWorkerMb(postern) }
}

async function largestWorkerMb({ child }: RunningPostern): Promise<number> {
  const workers = await childrenOf(child.pid ?? 0)
  const sizes = await Promise.all(
    workers.map(async (pid) => {
      const status = await readFile(`/proc/${pid}/status`, 'utf8')
      return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024
    }),
  )
  return Math.max(...sizes)
}

function hostnameOf(index: number): string {
  return `email.customer-${index}.test`
}

/** Certificates made anew for these; the other hosts share them (a worker reads none of those). */
const DISTINCT_CERTIFICATES = 100
const BATCH_ROWS = 500

async function prepareStore(hosts: number, ca: TestCa): Promise<string> {
  const directory = await makeDirectory()
  const telemetry = { log: openLog({ level: 'silent' }), metrics: createMetrics() }
  const clock = systemClock
  const location = { url: `sqlite:${directory}/postern.sqlite` }
  const { vault, noteKeys } = await openKeys(
    { store: location, vault: { key: [{ scheme: 'file', rest: `${directory}/master.key` }] } },
    { clock, variables: { take: () => undefined }, record: createVaultRecord(telemetry) },
    new AbortController().signal,
  )
  const record = createStoreRecord(telemetry)
  await using store = await openStore(location, { clock, record, role: 'server' })
  await noteKeys(store)
  const shared = Array.from({ length: DISTINCT_CERTIFICATES }, (_, index) =>
    ca.issue(hostnameOf(index)),
  )
  for (let from = 0; from < hosts; from += BATCH_ROWS) {
    const indexes = Array.from({ length: Math.min(BATCH_ROWS, hosts - from) }, (_, i) => from + i)
    await store.transaction(async (trx) => {
      await trx.insertInto('hosts').values(indexes.map(hostRow)).execute()
      const rows = indexes.map((index) => {
        const isLast = index === hosts - 1
        const issued = isLast ? ca.issue(hostnameOf(index)) : shared[index % DISTINCT_CERTIFICATES]
        if (!issued) throw new TypeError('no certificate')
        return certificateRow(index, issued, vault)
      })
      await trx.insertInto('certificates').values(rows).execute()
    })
  }
  return directory
}

function hostRow(index: number) {
  const now = systemClock.now().getTime()
  return {
    ...{ hostname: hostnameOf(index), domain: `customer-${index}.test`, state: 'active' },
    ...{ reason_code: null, reason_sentence: null, reason_fix: null, checks: '[]' },
    ...{ https_safe: 1, failures: 0, next_attempt_at: now + 86_400_000 * (20 + (index % 30)) },
    ...{ created_at: now, updated_at: now, lease_holder: null, lease_until: null },
  }
}

function certificateRow(index: number, issued: ReturnType<TestCa['issue']>, vault: Vault) {
  const hostname = hostnameOf(index)
  const id = systemRandom.bytes(16).toString('hex')
  return {
    ...{ id, hostname, serial: issued.serial, issuer: 'Test' },
    not_before: issued.notBefore.getTime(),
    not_after: issued.notAfter.getTime(),
    renew_at: issued.notBefore.getTime() + 86_400_000 * 60,
    renew_because: 'two-thirds-used',
    chain_pem: issued.chainPem,
    sealed_key: vault.seal(Buffer.from(issued.keyPem), {
      purpose: 'certificate-key',
      owner: `${hostname}/${id}`,
      version: 1,
    }),
    ...{ source: 'bench', key_type: 'ec', is_current: 1, created_at: issued.notBefore.getTime() },
  }
}
