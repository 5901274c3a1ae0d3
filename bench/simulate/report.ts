import type { AimFigure, PhaseFigures, SimulationFigures } from './figures.ts'
import type { SimulationOptions } from './options.ts'
import { ACCOUNT_SIZES } from './population.ts'
import { HAPPENINGS } from './scenario.ts'

export interface SimulationReport {
  readonly simulation: {
    readonly hosts: number
    readonly days: number
    readonly seed: number
    readonly ordersPerAccountIn3Hours: number
    readonly failover: SimulationOptions['failover']
    readonly scenario: readonly string[]
  }
  readonly figures: SimulationFigures
  readonly notes: readonly string[]
  /** The only part that differs between two runs. */
  readonly machine: Machine
}

interface Machine {
  readonly wallSeconds: number
  /** Of all cores: what it takes on a machine that others use as well. */
  readonly cpuSeconds: number
  readonly peakRssMiB: number
}

/** What the model leaves out, so that nobody takes a figure for more than it is. */
const NOTES: readonly string[] = [
  'Looks and questions about windows whose answer has not changed are not played: a host learns of a change at the look or question that would come next.',
  'An order takes an instant, except that a node may die amid it; requests per second are not counted.',
  'Authorizations are not reused by the modelled CA, and each host has a certificate of its own.',
  'An expiry is avoidable if DNS led to us at that time and if, between its planned renewal and its end, DNS was right and an allowed CA up for 48 hours at a stretch; an empty budget is no excuse.',
  'Planned orders are measured against the mean of the 30 days around the peak, and against the need: what the fleet of that hour takes in the long run. The mean of the whole run is told as well, but half of it has certificates of twice the lifetime.',
  'Planned orders are renewals, those of idle hosts and those the CA wants replaced; not first certificates, nor what ends within 48 hours.',
]

export function toReport(
  { hosts, days, seed, ordersPerAccount, failover, happenings }: SimulationOptions,
  figures: SimulationFigures,
  machine: Machine,
): SimulationReport {
  const ordersPerAccountIn3Hours = ordersPerAccount.capacity
  const scenario = HAPPENINGS.filter((happening) => happenings.has(happening))
  const simulation = { hosts, days, seed, ordersPerAccountIn3Hours, failover, scenario }
  return { simulation, figures, notes: NOTES, machine }
}

/** One line about a run. */
export function describeRun(options: SimulationOptions): string {
  const { hosts, days, ordersPerAccount, failover, seed } = options
  const second = failover === 'none' ? 'one CA' : 'two CAs'
  return `${count(hosts)} hosts, ${days} days, ${second}, ${count(ordersPerAccount.capacity)} orders in 3 hours, seed ${seed}`
}

/** For people. */
export function printReport({ simulation, figures, notes, machine }: SimulationReport): string {
  const { orders, expired, peaks, replaceNow, firstCertificates, renewalLateness } = figures
  const sections: readonly (readonly [string, readonly (readonly string[])[]])[] = [
    ['aims', figures.aims.map(aimRow)],
    [
      'orders',
      [
        ['placed', count(orders.placed)],
        ...Object.entries(orders.byUrgency).map(([urgency, placed]) => [
          `  ${urgency}`,
          count(placed),
        ]),
        ['at the second CA', count(orders.atSecondCa)],
        ['certificates, put to use', `${count(orders.certificates)}, ${count(orders.putToUse)}`],
        ['orders per certificate, of all hosts', String(orders.perCertificateOfAllHosts)],
        ['refused by validation', count(orders.failedValidations)],
        ['resumed after a restart', count(orders.resumedAfterRestart)],
        ['looks a second while the CA is down', count(figures.looksWhileCaIsDown.perSecondAtMost)],
      ],
    ],
    [
      'peaks',
      Object.entries(peaks).map(([name, peak]) => [
        `${name}, per hour`,
        `${count(peak.perHour)} on day ${peak.atDay}`,
        `${peak.overMean} × the mean of ${count(peak.meanPerHour)}`,
        `${peak.overMonth} × that of its month`,
        `${peak.overNeed} × the need`,
      ]),
    ],
    [
      'expired',
      Object.entries(expired).map(([cause, certificates]) => [cause, count(certificates)]),
    ],
    [
      'hours',
      [
        spanRow('first certificate', undefined),
        ...ACCOUNT_SIZES.map((size) => spanRow(`  ${size} account`, firstCertificates[size])),
        spanRow('renewal after its plan', renewalLateness),
        spanRow('safe after "replace now"', replaceNow),
      ],
    ],
    ['phases', [PHASE_HEAD, ...figures.phases.map(phaseRow)]],
    [
      'at the end',
      Object.entries(figures.fleetAtEnd).map(([state, hosts]) => [state, count(hosts)]),
    ],
  ]
  const head = `${count(simulation.hosts)} hosts, ${simulation.days} days, seed ${simulation.seed}, failover ${simulation.failover}`
  return [
    head,
    ...sections.map(([title, rows]) => `\n${title}\n${table(rows)}`),
    `\n${notes.map((note) => `  ${note}`).join('\n')}`,
    `\n${machine.wallSeconds} s (${machine.cpuSeconds} s of CPU), ${count(machine.peakRssMiB)} MiB at the most\n`,
  ].join('\n')
}

function aimRow({ name, value, atMost, isMet }: AimFigure): readonly string[] {
  return [name, String(value), `aim ≤ ${atMost}`, isMet ? 'met' : 'MISSED']
}

interface Span {
  readonly count: number
  readonly median: number
  readonly p99: number
  readonly longest: number
}

function spanRow(name: string, span: Span | undefined): readonly string[] {
  if (!span) return [name]
  const { median, p99, longest } = span
  return [name, `median ${median}`, `p99 ${p99}`, `longest ${longest}`, `of ${count(span.count)}`]
}

const PHASE_HEAD = [
  ...['from', 'days', 'orders', 'mean/h', 'peak/h', '2nd CA', 'queue', 'budget'],
  ...['avoidable', 'dns', 'ca', '429'],
]

function phaseRow(phase: PhaseFigures): readonly string[] {
  const { expired } = phase
  return [
    `day ${phase.fromDay} ${phase.title}`,
    String(phase.days),
    count(phase.orders),
    count(phase.meanPerHour),
    count(phase.peakPerHour),
    count(phase.atSecondCa),
    count(phase.longestQueue),
    phase.leastBudgetLeft === undefined ? '–' : count(phase.leastBudgetLeft),
    ...[expired.avoidable, expired['dns-wrong'], expired['ca-down'], phase.rateLimited].map(count),
  ]
}

/** Rows with columns of one width, the first to the left. */
function table(rows: readonly (readonly string[])[]): string {
  const columns = Math.max(...rows.map((row) => row.length))
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  )
  const pad = (cell: string, column: number): string =>
    column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)
  return rows.map((row) => `  ${row.map(pad).join('  ').trimEnd()}`).join('\n')
}

function count(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: 1 })
}
