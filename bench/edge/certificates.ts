import type { BenchReport, Figure } from '../support/figures.ts'
import type { Table } from '../support/tables.ts'
import { type Holding, holdAsPeer, holdAsPostern } from './holding.ts'
import { startCaddy } from './peers/caddy.ts'
import { startHaproxy } from './peers/haproxy.ts'
import { startNginx } from './peers/nginx.ts'
import type { StartPeer } from './peers/peer.ts'
import { medianOf, sum } from './statistics.ts'
import type { TrafficPlan } from './traffic.ts'
import type { World } from './world.ts'

export interface CertificatesPlan extends TrafficPlan {
  /** Numbers of certificates that Postern is measured with. */
  readonly ours: readonly number[]
  /** The same for the peers, who need a second or more for each thousand. */
  readonly theirs: readonly number[]
  /** How often Postern is started with each. */
  readonly starts: number
}

const PEERS: readonly (readonly [string, StartPeer])[] = [
  ['nginx', startNginx],
  ['HAProxy', startHaproxy],
  ['Caddy', startCaddy],
]

/** Start, memory, one more certificate and first visits, with 1,000 certificates and many more. */
export async function measureCertificates(
  world: World,
  plan: CertificatesPlan,
): Promise<BenchReport> {
  const rows: (readonly string[])[] = []
  const figures: Figure[] = []
  for (const count of plan.theirs) {
    for (const [name, start] of PEERS) {
      plan.say(`edge: ${name} with ${count} certificates`)
      const seen = await holdAsPeer(world, plan, { name, start, count })
      if (seen) rows.push(toRow(name, count, [seen]))
    }
  }
  for (const count of plan.ours) {
    plan.say(`edge: Postern with ${count} certificates`)
    const seen = await holdAsPostern(world, plan, count)
    rows.push(toRow('Postern', count, seen))
    if (count === AIMED_AT) figures.push(...aims(seen))
  }
  return { tables: [toTable(rows)], figures }
}

const AIMED_AT = 100_000

function aims(seen: readonly Holding[]): readonly Figure[] {
  return [
    {
      ...{ name: `start with ${AIMED_AT} certificates`, unit: 's', aim: { atMost: 0.5 } },
      value: medianOf(seen, ({ startMs }) => startMs / 1000),
    },
    {
      ...{ name: `idle worker, ${AIMED_AT} certificates, RSS`, unit: 'MB', aim: { atMost: 80 } },
      value: medianOf(seen, ({ workerMb }) => workerMb),
    },
    {
      ...{
        name: `idle worker, ${AIMED_AT} certificates, its own`,
        unit: 'MB',
        aim: { atMost: 80 },
      },
      value: medianOf(seen, ({ ownMb }) => ownMb),
    },
  ]
}

function toRow(name: string, count: number, seen: readonly Holding[]): readonly string[] {
  const of = (pick: (holding: Holding) => number): number => medianOf(seen, pick)
  const cold = seen.flatMap((holding) => (holding.cold ? [holding.cold] : []))
  return [
    ...[name, String(count), of(({ startMs }) => startMs / 1000).toFixed(2)],
    [of(({ workerMb }) => workerMb), of(({ ownMb }) => ownMb), of(({ allMb }) => allMb)]
      .map((megabytes) => megabytes.toFixed(0))
      .join(' / '),
    of(({ addMs }) => addMs).toFixed(0),
    ...(cold.length === 0
      ? ['–', '–', '–']
      : [
          medianOf(cold, ({ perSecond }) => perSecond).toFixed(0),
          medianOf(cold, ({ cpuUs }) => sum(cpuUs)).toFixed(0),
          of(({ visitedMb }) => visitedMb).toFixed(0),
        ]),
  ]
}

function toTable(rows: readonly (readonly string[])[]): Table {
  return {
    title:
      'Many certificates (start and one more: to the first verified handshake; not bound to a core)',
    columns: [
      ...['target', 'certificates', 'start s', 'idle MB: worker / its own / all', 'one more ms'],
      ...['first visits/s', 'CPU µs', 'MB after them'],
    ],
    rows,
    notes: [
      'Hosts after the first hundred share the certificates of those, for Postern each sealed anew.',
      'Worker and all: resident; its own: without the pages of the program, which its processes share.',
      'HAProxy adds at run time and forgets it with the next start; nginx and Caddy read everything again.',
    ],
  }
}
