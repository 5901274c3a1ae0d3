import { join } from 'node:path'
import type { BenchReport, Figure } from '../support/figures.ts'
import type { Table } from '../support/tables.ts'
import { startTrackingBackend } from './backends.ts'
import { type LoadReport, runLoad, warmUp, writeTargets } from './load.ts'
import { startHaproxy } from './peers/haproxy.ts'
import { startNginx } from './peers/nginx.ts'
import type { StartPeer } from './peers/peer.ts'
import { startPosternPeer } from './peers/postern.ts'
import { interleave, medianOf, pairedRatio, sum } from './statistics.ts'
import type { TrafficPlan } from './traffic.ts'
import { CLICK_TARGET, signedTargets, type World } from './world.ts'

/** A way of having clicks redirected and counted: what is asked, and every process it takes. */
interface Way {
  readonly name: string
  readonly port: number
  readonly targetsFile: string
  readonly pids: readonly number[]
}

const MODES = ['keep-alive', 'full'] as const
type ClickMode = (typeof MODES)[number]
type SeenClicks = ReadonlyMap<string, ReadonlyMap<ClickMode, LoadReport[]>>

const EMBEDDED = 'Postern, embedded'
const NGINX_OURS = "nginx + Postern's backend"
const NGINX_C = 'nginx + backend in C'

/**
 * What a counted click costs: link verified, hit on the disk before the redirect. Beside the embedded
 * backend: a proxy before the very same backend (Postern over plain http), and before one in C that
 * does the same work and nothing else, which nobody's tracking backend reaches.
 */
export async function measureClicks(world: World, plan: TrafficPlan): Promise<BenchReport> {
  await using open = new AsyncDisposableStack()
  const ways = await startWays(world, open)
  const seen: SeenClicks = new Map(
    ways.map(({ name }) => [name, new Map(MODES.map((mode) => [mode, []]))]),
  )
  for (const mode of MODES) {
    for (const { port, targetsFile } of ways) {
      const { client, warmingSeconds: seconds } = plan
      await warmUp({ client, mode, port, targetsFile, seconds })
    }
    await interleave(ways, plan.rounds, async ({ name, port, pids, targetsFile }) => {
      const { client, warmupSeconds, seconds } = plan
      const report = await runLoad({
        ...{ client, mode, port, pids, targetsFile, warmupSeconds, seconds },
      })
      seen.get(name)?.get(mode)?.push(report)
      const cost = sum(report.cpuUs).toFixed(1)
      plan.say(`edge: clicks, ${mode}, ${name}: ${report.perSecond.toFixed(0)}/s, ${cost} µs CPU`)
    })
  }
  return { tables: [clicksTable(seen)], figures: clickFigures(seen) }
}

async function startWays(world: World, open: AsyncDisposableStack): Promise<readonly Way[]> {
  const embedded = open.use(
    await startPosternPeer({
      ...{ name: EMBEDDED, directory: await world.makeStore(), backend: 'embedded' },
      core: 'server',
    }),
  )
  const folder = await world.makeFolder('clicks')
  const ourTargets = await signedTargets(world, embedded, join(folder, 'postern.targets'))
  const tracking = open.use(await startTrackingBackend(world.backendProgram, folder))
  const theirTargets = await writeTargets(
    join(folder, 'backend.targets'),
    world.hosts.map(({ hostname }) => ({
      hostname,
      path: tracking.signClick(hostname, CLICK_TARGET),
    })),
  )
  const ways: Way[] = [
    { name: EMBEDDED, port: embedded.httpsPort, targetsFile: ourTargets, pids: embedded.pids },
  ]
  const behind = async (name: string, start: StartPeer, backend: Omit<Way, 'name'>) => {
    const peer = await start({
      folder: await world.makeFolder(`clicks ${name}`.replaceAll(/\W+/g, '-')),
      ...{ hosts: world.hosts, backendPort: backend.port, core: 'server' },
    })
    if (!peer) return
    open.use(peer)
    const pids = [...peer.pids, ...backend.pids]
    ways.push({ name, port: peer.httpsPort, targetsFile: backend.targetsFile, pids })
  }
  const inC = { port: tracking.port, targetsFile: theirTargets, pids: [tracking.pid] }
  const ours = {
    ...{ port: embedded.postern.httpPort, targetsFile: ourTargets, pids: embedded.pids },
  }
  await behind(NGINX_OURS, startNginx, ours)
  await behind(NGINX_C, startNginx, inC)
  await behind('HAProxy + backend in C', startHaproxy, inC)
  return ways
}

function clicksTable(seen: SeenClicks): Table {
  return {
    title: 'A click, redirected and counted (all processes on one core)',
    columns: [
      ...['way', 'keep-alive/s', 'CPU µs', 'p50 / p99 ms'],
      ...['new connection/s', 'CPU µs', 'p50 / p99 ms'],
    ],
    rows: [...seen].map(([name, byMode]) => [
      name,
      ...MODES.flatMap((mode) => {
        const reports = byMode.get(mode) ?? []
        const of = (pick: (report: LoadReport) => number): number => medianOf(reports, pick)
        return [
          of(({ perSecond }) => perSecond).toFixed(0),
          of(cpuUs).toFixed(1),
          `${of(({ p50Ms }) => p50Ms).toFixed(1)} / ${of(({ p99Ms }) => p99Ms).toFixed(1)}`,
        ]
      }),
    ]),
  }
}

const cpuUs = (report: LoadReport): number => sum(report.cpuUs)

function clickFigures(seen: SeenClicks): readonly Figure[] {
  const costs = (name: string, mode: ClickMode): readonly number[] =>
    (seen.get(name)?.get(mode) ?? []).map(cpuUs)
  return MODES.flatMap((mode) =>
    [NGINX_OURS, NGINX_C].flatMap((name): readonly Figure[] => {
      const theirs = costs(name, mode)
      if (theirs.length === 0) return []
      const what = mode === 'full' ? 'new connection' : mode
      return [
        {
          ...{ name: `CPU per click, ${what}, ${EMBEDDED} : ${name}`, unit: '×' },
          value: pairedRatio(costs(EMBEDDED, mode), theirs),
          ...(mode === 'keep-alive' ? { aim: { atMost: 0.5 } } : {}),
        },
      ]
    }),
  )
}
