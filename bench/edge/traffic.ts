import type { Aim, Figure } from '../support/figures.ts'
import { residentMb } from '../support/process-tree.ts'
import type { Table } from '../support/tables.ts'
import { type LoadMode, type LoadReport, runLoad, warmUp } from './load.ts'
import type { Peer } from './peers/peer.ts'
import { interleave, medianOf, pairedRatio, sum } from './statistics.ts'

/** A server as it is asked. */
export interface Contender {
  readonly peer: Peer
  readonly targetsFile: string
  readonly method: 'GET' | 'HEAD'
}

export interface TrafficPlan {
  readonly client: string
  readonly caFile: string
  readonly rounds: number
  /** The most that is spent on making one server warm in one mode, before the rounds. */
  readonly warmingSeconds: number
  readonly warmupSeconds: number
  readonly seconds: number
  say(sentence: string): void
}

const MODES = ['keep-alive', 'full', 'resumed', 'single-use'] as const

/** What was seen of one contender, by round. */
export interface Seen {
  readonly name: string
  readonly byMode: ReadonlyMap<LoadMode, LoadReport[]>
  /** Resident memory of its worker and of all its processes, after everything. */
  readonly memoryMb: { worker: number; all: number }
}

/** Keep-alive, full handshakes and both kinds of resumption, contender by contender in each round. */
export async function measureTraffic(
  contenders: readonly Contender[],
  plan: TrafficPlan,
): Promise<readonly Seen[]> {
  const seen = new Map(contenders.map((contender) => [contender, nothingSeen(contender)]))
  for (const mode of MODES) {
    for (const { peer, targetsFile, method } of contenders) {
      const { client, warmingSeconds: seconds } = plan
      await warmUp({ client, mode, targetsFile, method, port: peer.httpsPort, seconds })
    }
    await interleave(contenders, plan.rounds, async (contender, round) => {
      const { peer, targetsFile, method } = contender
      const { client, warmupSeconds, seconds } = plan
      const report = await runLoad({
        ...{ client, mode, targetsFile, method, warmupSeconds, seconds },
        ...{ port: peer.httpsPort, pids: peer.pids },
        caFile: round === 0 ? plan.caFile : undefined,
      })
      seen.get(contender)?.byMode.get(mode)?.push(report)
      plan.say(`edge: ${mode}, ${peer.name}: ${describe(report)}`)
    })
  }
  for (const [{ peer }, { memoryMb }] of seen) {
    memoryMb.worker = await residentMb(peer.worker)
    memoryMb.all = sum(await Promise.all(peer.pids.map(residentMb)))
  }
  return [...seen.values()]
}

function nothingSeen({ peer }: Contender): Seen {
  return {
    name: peer.name,
    byMode: new Map(MODES.map((mode) => [mode, []])),
    memoryMb: { worker: 0, all: 0 },
  }
}

function describe(report: LoadReport): string {
  const busy = report.clientShare > CLIENT_SHARE_MAX ? ', the client is the limit' : ''
  return `${report.perSecond.toFixed(0)}/s, ${sum(report.cpuUs).toFixed(1)} µs CPU, p99 ${report.p99Ms.toFixed(1)} ms${busy}`
}

/** Beyond this the load client itself may be what is slow: its rate says nothing, CPU time does. */
const CLIENT_SHARE_MAX = 0.97

export function trafficTable(all: readonly Seen[]): Table {
  return {
    title: '100 hosts, P-256, TLS 1.3, server on one core, 64 visitors',
    columns: [
      ...['target', 'keep-alive/s', 'CPU µs', 'p50 / p99 ms', 'full/s', 'CPU µs'],
      ...['resumed/s', 'CPU µs', 'single-use/s', 'CPU µs', 'resumed', 'RSS MB worker / all'],
    ],
    rows: all.map(({ name, byMode, memoryMb }) => {
      const of = (mode: LoadMode, pick: (report: LoadReport) => number): number =>
        medianOf(byMode.get(mode) ?? [], pick)
      const rate = (mode: LoadMode): string => of(mode, perSecond).toFixed(0)
      const cpu = (mode: LoadMode): string => of(mode, cpuUs).toFixed(1)
      const p = (pick: (report: LoadReport) => number) => of('keep-alive', pick).toFixed(1)
      return [
        ...[name, rate('keep-alive'), cpu('keep-alive')],
        `${p(({ p50Ms }) => p50Ms)} / ${p(p99Ms)}`,
        ...[rate('full'), cpu('full'), rate('resumed'), cpu('resumed')],
        ...[rate('single-use'), cpu('single-use')],
        `${(of('single-use', resumedShare) * 100).toFixed(1)} %`,
        `${memoryMb.worker.toFixed(0)} / ${memoryMb.all.toFixed(0)}`,
      ]
    }),
    notes: [
      'full, resumed, single-use: a new connection with one request each. CPU: all processes of the server.',
      'Postern in-process: HEAD of a signed link, verified and redirected; the cost of a counted click is below.',
    ],
  }
}

const perSecond = (report: LoadReport): number => report.perSecond
const cpuUs = (report: LoadReport): number => sum(report.cpuUs)
const p99Ms = (report: LoadReport): number => report.p99Ms
const resumedShare = (report: LoadReport): number => report.resumedShare

/** What Postern is to reach beside a peer, in what mode. */
interface Ambition {
  readonly ours: string
  readonly theirs: string
  readonly mode: LoadMode
  readonly aim: Aim
}

export const PROXIED = 'Postern, proxied'
export const IN_PROCESS = 'Postern, in-process'

const AMBITIONS: readonly Ambition[] = [
  { ours: PROXIED, theirs: 'nginx', mode: 'keep-alive', aim: { atLeast: 1 } },
  { ours: PROXIED, theirs: 'Caddy', mode: 'keep-alive', aim: { atLeast: 2.5 } },
  { ours: IN_PROCESS, theirs: 'nginx', mode: 'keep-alive', aim: { atLeast: 1.8 } },
  { ours: PROXIED, theirs: 'nginx', mode: 'full', aim: { atLeast: 0.8 } },
  { ours: IN_PROCESS, theirs: 'nginx', mode: 'full', aim: { atLeast: 0.95 } },
  { ours: PROXIED, theirs: 'nginx', mode: 'resumed', aim: { atLeast: 1 } },
  { ours: PROXIED, theirs: 'nginx', mode: 'single-use', aim: { atLeast: 1 } },
]

/**
 * Each aim twice: by operations per second, and by operations per second of the server's CPU time,
 * which neither a busy neighbour nor a slow client can change.
 */
export function trafficFigures(all: readonly Seen[]): readonly Figure[] {
  const reports = (name: string, mode: LoadMode): readonly LoadReport[] =>
    all.find((seen) => seen.name === name)?.byMode.get(mode) ?? []
  const ratios = AMBITIONS.flatMap(({ ours, theirs, mode, aim }): readonly Figure[] => {
    const own = reports(ours, mode)
    const others = reports(theirs, mode)
    if (own.length === 0 || others.length === 0) return []
    const name = `${mode}, ${ours} : ${theirs}`
    return [
      {
        ...{ name: `${name}, per CPU time`, unit: '×', aim },
        value: pairedRatio(others.map(cpuUs), own.map(cpuUs)),
      },
      {
        ...{ name: `${name}, per second`, unit: '×', aim },
        value: pairedRatio(own.map(perSecond), others.map(perSecond)),
      },
    ]
  })
  return [...ratios, ...tailFigures(reports), ...resumptionFigures(reports)]
}

type Reports = (name: string, mode: LoadMode) => readonly LoadReport[]

function tailFigures(reports: Reports): readonly Figure[] {
  const nginx = reports('nginx', 'keep-alive').map(p99Ms)
  if (nginx.length === 0) return []
  return [PROXIED, IN_PROCESS].map((name) => ({
    ...{ name: `p99 keep-alive, ${name} : nginx`, unit: '×', aim: { atMost: 1 } },
    value: pairedRatio(reports(name, 'keep-alive').map(p99Ms), nginx),
  }))
}

function resumptionFigures(reports: Reports): readonly Figure[] {
  return [PROXIED, IN_PROCESS].map((name) => ({
    ...{ name: `single-use tickets that resume, ${name}`, unit: '%', aim: { atLeast: 100 } },
    value: medianOf(reports(name, 'single-use'), resumedShare) * 100,
  }))
}
