import type { Urgency } from '../../src/kernel/index.ts'
import type { SimulationResult } from './engine.ts'
import { type ExpiryCause, type Hours, type Meter, sumOf } from './meter.ts'
import { ACCOUNT_SIZES, type AccountSize } from './population.ts'
import { DAY_MS, HOUR_MS, type Scenario } from './scenario.ts'

/** What came out of a run, for programs: the same for the same seed and options. */
export interface SimulationFigures {
  readonly aims: readonly AimFigure[]
  readonly orders: OrderFigures
  readonly expired: Readonly<Record<ExpiryCause, number>>
  readonly rateLimited: Readonly<Record<string, number>>
  readonly peaks: Readonly<Record<'all' | 'planned' | 'first', PeakFigures>>
  readonly replaceNow: ReplaceNowFigures | undefined
  /** From the first time that DNS was right to the first certificate in use, by account size. */
  readonly firstCertificates: Readonly<Partial<Record<AccountSize, SpanFigures>>>
  /** Of hosts that wait for a CA which is away, to see whether it is back. */
  readonly looksWhileCaIsDown: { readonly count: number; readonly perSecondAtMost: number }
  /** From when a renewal was planned to its order. */
  readonly renewalLateness: SpanFigures | undefined
  readonly phases: readonly PhaseFigures[]
  readonly fleetAtEnd: Readonly<Record<string, number>>
}

export interface AimFigure {
  readonly name: string
  readonly value: number | undefined
  readonly atMost: number
  readonly isMet: boolean
}

interface OrderFigures {
  readonly placed: number
  readonly byUrgency: Readonly<Record<Urgency, number>>
  readonly atSecondCa: number
  readonly certificates: number
  readonly putToUse: number
  /** Orders placed ÷ certificates put to use, of hosts whose DNS is right for us and for the CA. */
  readonly perCertificate: number
  /** The same of all hosts: orders included that a CA refuses because it sees what we cannot. */
  readonly perCertificateOfAllHosts: number
  readonly failedValidations: number
  readonly foundCaDown: number
  readonly alreadyReplaced: number
  readonly resumedAfterRestart: number
}

interface PeakFigures {
  readonly perHour: number
  readonly atDay: number
  readonly meanPerHour: number
  readonly overMean: number
  readonly meanOfSurroundingMonth: number
  readonly overMonth: number
  /**
   * The most in an hour against what the fleet of that hour takes in the long run, where it is more
   * than the pace that every fleet may have.
   */
  readonly overNeed: number
}

/** Hours. */
interface SpanFigures {
  readonly count: number
  readonly median: number
  readonly p99: number
  readonly longest: number
}

interface ReplaceNowFigures extends SpanFigures {
  readonly certificates: number
  /** Still in use when CAs have to revoke: five days later. */
  readonly revokedInUse: number
}

export interface PhaseFigures {
  readonly title: string
  readonly fromDay: number
  readonly days: number
  readonly orders: number
  readonly meanPerHour: number
  readonly peakPerHour: number
  readonly atSecondCa: number
  readonly longestQueue: number
  readonly leastBudgetLeft: number | undefined
  readonly expired: Readonly<Record<ExpiryCause, number>>
  readonly rateLimited: number
}

const PLANNED: readonly Urgency[] = ['replace-now', 'renewal', 'idle']
const ORDERS_PER_CERTIFICATE_MAX = 1.01
const PEAK_OVER_MEAN_MAX = 2

export function toFigures({
  meter,
  scenario,
  hitCertificates,
  atEnd,
}: SimulationResult): SimulationFigures {
  const { counts, hours } = meter
  const orders = orderFigures(meter)
  const expired = {
    avoidable: total(hours.expired.avoidable),
    'dns-wrong': total(hours.expired['dns-wrong']),
    'ca-down': total(hours.expired['ca-down']),
  }
  const peaks = {
    all: peakOf(sumOf(hours), hours.needed),
    planned: peakOf(sumOf(hours, PLANNED), hours.needed),
    first: peakOf(sumOf(hours, ['first']), hours.needed),
  }
  const { planned } = peaks
  const rateLimited = total(hours.rateLimited)
  const safe = spanFigures(meter.safeAfter)
  return {
    aims: [
      aim('certificates expired while avoidable', expired.avoidable, 0),
      aim('429 answers', rateLimited, 0),
      aim('orders per certificate', orders.perCertificate, ORDERS_PER_CERTIFICATE_MAX),
      peakAim('peak of planned orders ÷ mean of its month', planned.overMonth, planned.perHour),
      peakAim('peak of planned orders ÷ need', planned.overNeed, planned.perHour),
      aim('in use when CAs had to revoke', counts.revokedInUse, 0),
    ],
    ...{ orders, expired, peaks },
    rateLimited: counts.rateLimitedBy,
    replaceNow: safe && {
      certificates: hitCertificates,
      revokedInUse: counts.revokedInUse,
      ...safe,
    },
    firstCertificates: Object.fromEntries(
      ACCOUNT_SIZES.map((size) => [size, spanFigures(meter.firstWaits[size])]),
    ),
    looksWhileCaIsDown: {
      count: counts.looksSkipped,
      perSecondAtMost: rounded(greatest(runningSum(hours.looksSkippedMore)) / SECONDS_IN_HOUR, 1),
    },
    renewalLateness: spanFigures(meter.lateness()),
    phases: phasesOf(meter.hours, scenario),
    fleetAtEnd: atEnd,
  }
}

function greatestOverNeed(series: Float64Array, needed: Float64Array): number {
  let most = 0
  for (const [hour, orders] of series.entries()) {
    const need = needed[hour] ?? 0
    if (orders > PEAK_PER_HOUR_ALLOWED && need > 0) most = Math.max(most, orders / need)
  }
  return most
}

/** A small fleet may have a peak that no CA and no machine would notice: `own-pace`, with its burst. */
const PEAK_PER_HOUR_ALLOWED = 660

function peakAim(name: string, value: number, perHour: number): AimFigure {
  const asked = aim(name, value, PEAK_OVER_MEAN_MAX)
  return { ...asked, isMet: asked.isMet || perHour <= PEAK_PER_HOUR_ALLOWED }
}

function aim(name: string, value: number, atMost: number): AimFigure {
  return { name, value, atMost, isMet: value <= atMost }
}

function orderFigures({ counts, hours }: Meter): OrderFigures {
  const { orders, ordersSeenRight, putToUse, certificates } = counts
  return {
    placed: orders,
    byUrgency: {
      expiring: total(hours.orders.expiring),
      'replace-now': total(hours.orders['replace-now']),
      first: total(hours.orders.first),
      renewal: total(hours.orders.renewal),
      idle: total(hours.orders.idle),
    },
    atSecondCa: total(hours.ordersAtSecondCa),
    ...{ certificates, putToUse },
    perCertificate: rounded(ordersSeenRight / putToUse, 5),
    perCertificateOfAllHosts: rounded(orders / putToUse, 5),
    failedValidations: counts.failedValidations,
    foundCaDown: counts.foundDown,
    alreadyReplaced: counts.alreadyReplaced,
    resumedAfterRestart: counts.resumedOrders,
  }
}

const MONTH_HOURS = 30 * 24

function peakOf(series: Float64Array, needed: Float64Array): PeakFigures {
  let peakHour = 0
  for (let hour = 0; hour < series.length; hour += 1) {
    if ((series[hour] ?? 0) > (series[peakHour] ?? 0)) peakHour = hour
  }
  const perHour = series[peakHour] ?? 0
  const meanPerHour = total(series) / series.length
  const from = Math.max(0, Math.min(series.length - MONTH_HOURS, peakHour - MONTH_HOURS / 2))
  const month = series.subarray(from, from + MONTH_HOURS)
  const meanOfMonth = total(month) / month.length
  return {
    perHour,
    atDay: rounded(peakHour / 24, 2),
    meanPerHour: rounded(meanPerHour, 1),
    overMean: rounded(perHour / meanPerHour, 3),
    meanOfSurroundingMonth: rounded(meanOfMonth, 1),
    overMonth: rounded(perHour / meanOfMonth, 3),
    overNeed: rounded(greatestOverNeed(series, needed), 3),
  }
}

function spanFigures(spansMs: ArrayLike<number>): SpanFigures | undefined {
  if (spansMs.length === 0) return undefined
  const sorted = Float64Array.from(spansMs).sort()
  const at = (share: number): number =>
    rounded(
      (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) / HOUR_MS,
      3,
    )
  return { count: sorted.length, median: at(0.5), p99: at(0.99), longest: at(1) }
}

/** From each mark to the next; what is marked at the same time is one phase. */
function phasesOf(hours: Hours, { startMs, endMs, marks }: Scenario): readonly PhaseFigures[] {
  const starts = new Map<number, string>([[startMs, 'start']])
  for (const { atMs, title } of marks) {
    const before = starts.get(atMs)
    starts.set(atMs, before ? `${before}, ${title}` : title)
  }
  const edges = [...starts].filter(([atMs]) => atMs < endMs).toSorted(([a], [b]) => a - b)
  const orders = sumOf(hours)
  return edges.map(([fromMs, title], index) => {
    const toMs = edges[index + 1]?.[0] ?? endMs
    const [from, to] = [(fromMs - startMs) / HOUR_MS, (toMs - startMs) / HOUR_MS]
    const cut = (series: Uint32Array | Float64Array) => series.subarray(from, to)
    const least = smallest(hours.budgetLeft.subarray(from, to))
    return {
      title,
      fromDay: (fromMs - startMs) / DAY_MS,
      days: (toMs - fromMs) / DAY_MS,
      orders: total(cut(orders)),
      meanPerHour: rounded(total(cut(orders)) / (to - from), 1),
      peakPerHour: greatest(cut(orders)),
      atSecondCa: total(cut(hours.ordersAtSecondCa)),
      longestQueue: greatest(cut(hours.queued)),
      leastBudgetLeft: Number.isFinite(least) ? Math.floor(least) : undefined,
      expired: {
        avoidable: total(cut(hours.expired.avoidable)),
        'dns-wrong': total(cut(hours.expired['dns-wrong'])),
        'ca-down': total(cut(hours.expired['ca-down'])),
      },
      rateLimited: total(cut(hours.rateLimited)),
    }
  })
}

type Series = Uint32Array | Float64Array | Float32Array

function total(series: Series): number {
  let sum = 0
  for (const value of series) sum += value
  return sum
}

function greatest(series: Series): number {
  let most = 0
  for (const value of series) most = Math.max(most, value)
  return most
}

const SECONDS_IN_HOUR = 3_600

function runningSum(changes: Float64Array): Float64Array {
  let sum = 0
  return changes.map((change) => {
    sum += change
    return sum
  })
}

function smallest(series: Series): number {
  let least = Number.POSITIVE_INFINITY
  for (const value of series) least = Math.min(least, value)
  return least
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}
