import { rm } from 'node:fs/promises'
import { createTestCa, type TestCa } from '../test/support/certificates.ts'
import { childrenOf } from '../test/support/clients.ts'
import { type RunningPostern, startPostern } from '../test/support/postern.ts'
import { freePort } from '../test/support/test-authority.ts'
import { type BenchOptions, type Figure, median } from './support/figures.ts'
import { firstHandshake } from './support/handshake.ts'
import { hostnameOf, issueCertificates, prepareStore } from './support/prepared-store.ts'
import { residentMb } from './support/process-tree.ts'

/**
 * A start with many certificates in SQLite: from starting the process to the first verified
 * handshake, and what a worker then holds in memory. The peer is Postern itself with 1,000.
 */
export async function benchStart({ quick, say }: BenchOptions): Promise<readonly Figure[]> {
  const few = 1_000
  const many = quick ? 20_000 : 100_000
  const rounds = quick ? 3 : 5
  const ca = createTestCa()
  const issued = issueCertificates(ca)
  const stores = new Map<number, string>()
  for (const hosts of [few, many]) {
    say(`start: preparing ${hosts} hosts with certificates`)
    stores.set(hosts, await prepareStore({ hosts, ca, issued }))
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
  return Math.max(...(await Promise.all(workers.map(residentMb))))
}
