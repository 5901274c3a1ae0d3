import { URGENCIES, type Urgency } from '../../src/kernel/index.ts'
import type { AccountSize } from './population.ts'
import { HOUR_MS, type Scenario } from './scenario.ts'

/** Why a certificate ran out although its host was still ours. */
export type ExpiryCause = 'avoidable' | 'dns-wrong' | 'ca-down'

/** Counts what happens; decides nothing. Hours are numbered from the start of the run. */
export interface Meter {
  readonly hours: Hours
  readonly counts: Counts
  /** From the first time that all was right to the first certificate in use, in ms, by account size. */
  readonly firstWaits: Readonly<Record<AccountSize, number[]>>
  /** From the CA's "replace now" to the new certificate in use, in ms. */
  readonly safeAfter: number[]
  /** From when a renewal was planned to its order, in ms. */
  noteLateness(lateMs: number): void
  lateness(): Float32Array
  hourOf(nowMs: number): number
  ordered(order: MeteredOrder, nowMs: number): void
  rateLimited(limit: string, nowMs: number): void
  expired(cause: ExpiryCause, nowMs: number): void
  noteBudget(ordersLeft: number, nowMs: number): void
  /** Somebody would have been looked at so often, with the same result. */
  noteSkipped(looks: {
    readonly fromMs: number
    readonly toMs: number
    readonly everyMs: number
  }): void
  noteHour(hour: HourlyFacts, nowMs: number): void
}

export interface HourlyFacts {
  readonly queued: number
  readonly inUse: number
  /** What the fleet takes in an hour in the long run, as Postern sees it. */
  readonly needed: number
}

export interface MeteredOrder {
  readonly ca: number
  readonly urgency: Urgency
  /** What the CA's look at the name will find. */
  readonly sight: 'right' | 'wrong'
}

/** One entry for each hour. */
export interface Hours {
  readonly orders: Readonly<Record<Urgency, Uint32Array>>
  readonly ordersAtSecondCa: Uint32Array
  readonly rateLimited: Uint32Array
  readonly expired: Readonly<Record<ExpiryCause, Uint32Array>>
  /** At the end of the hour: hosts that wait for the budget, and certificates in use. */
  readonly queued: Uint32Array
  readonly inUse: Uint32Array
  /** What the fleet takes in an hour in the long run. */
  readonly needed: Float64Array
  /**
   * Looks of hosts that wait for a CA that is away, and that would find nothing new: how many more
   * than in the hour before.
   */
  readonly looksSkippedMore: Float64Array
  /** The least in the hour: the account's orders at the preferred CA, as the CA counts them. */
  readonly budgetLeft: Float32Array
}

export interface Counts {
  orders: number
  ordersSeenRight: number
  /** Orders that found a name wrong that our own look had found right. */
  failedValidations: number
  alreadyReplaced: number
  foundDown: number
  certificates: number
  putToUse: number
  looks: number
  looksSkipped: number
  restarts: number
  resumedOrders: number
  revokedInUse: number
  left: number
  readonly rateLimitedBy: Record<string, number>
  /** Moves of the state machine. */
  moves: number
  /** Hosts whose turn in the line had come, and for whom there was no room after all. */
  fruitlessClaims: number
}

export function createMeter({ startMs, endMs }: Scenario): Meter {
  const count = Math.ceil((endMs - startMs) / HOUR_MS)
  const series = (): Uint32Array => new Uint32Array(count)
  const hours: Hours = {
    orders: {
      ...{ expiring: series(), 'replace-now': series(), first: series() },
      ...{ renewal: series(), idle: series() },
    },
    ordersAtSecondCa: series(),
    rateLimited: series(),
    expired: { avoidable: series(), 'dns-wrong': series(), 'ca-down': series() },
    queued: series(),
    inUse: series(),
    needed: new Float64Array(count),
    looksSkippedMore: new Float64Array(count),
    budgetLeft: new Float32Array(count).fill(Number.POSITIVE_INFINITY),
  }
  const counts: Counts = {
    ...{ orders: 0, ordersSeenRight: 0, failedValidations: 0, alreadyReplaced: 0, foundDown: 0 },
    ...{
      certificates: 0,
      putToUse: 0,
      looks: 0,
      looksSkipped: 0,
      restarts: 0,
      resumedOrders: 0,
      revokedInUse: 0,
    },
    ...{ left: 0, rateLimitedBy: {}, moves: 0, fruitlessClaims: 0 },
  }
  let latenesses = new Float32Array(LATENESSES_FIRST)
  let lateCount = 0
  const hourOf = (nowMs: number): number =>
    Math.max(0, Math.min(count - 1, Math.floor((nowMs - startMs) / HOUR_MS)))
  return {
    ...{ hours, counts, safeAfter: [], hourOf },
    firstWaits: { tiny: [], small: [], large: [], giant: [], bulk: [] },
    ordered: ({ ca, urgency, sight }, nowMs) => {
      const hour = hourOf(nowMs)
      add(hours.orders[urgency], hour)
      if (ca > 0) add(hours.ordersAtSecondCa, hour)
      counts.orders += 1
      if (sight === 'right') counts.ordersSeenRight += 1
    },
    rateLimited: (limit, nowMs) => {
      add(hours.rateLimited, hourOf(nowMs))
      counts.rateLimitedBy[limit] = (counts.rateLimitedBy[limit] ?? 0) + 1
    },
    expired: (cause, nowMs) => add(hours.expired[cause], hourOf(nowMs)),
    noteLateness: (lateMs) => {
      if (latenesses.length === lateCount) latenesses = grown(latenesses)
      latenesses[lateCount] = lateMs
      lateCount += 1
    },
    lateness: () => latenesses.subarray(0, lateCount),
    noteSkipped: ({ fromMs, toMs, everyMs }) => {
      counts.looksSkipped += Math.floor((toMs - fromMs) / everyMs)
      const perHour = HOUR_MS / everyMs
      const [from, to] = [hourOf(fromMs), hourOf(toMs)]
      hours.looksSkippedMore[from] = (hours.looksSkippedMore[from] ?? 0) + perHour
      hours.looksSkippedMore[to] = (hours.looksSkippedMore[to] ?? 0) - perHour
    },
    noteBudget: (ordersLeft, nowMs) => {
      const hour = hourOf(nowMs)
      hours.budgetLeft[hour] = Math.min(ordersLeft, hours.budgetLeft[hour] ?? ordersLeft)
    },
    noteHour: ({ queued, inUse, needed }, nowMs) => {
      const hour = hourOf(nowMs)
      hours.queued[hour] = queued
      hours.inUse[hour] = inUse
      hours.needed[hour] = needed
    },
  }
}

const LATENESSES_FIRST = 1 << 16

function grown(series: Float32Array): Float32Array<ArrayBuffer> {
  const larger = new Float32Array(2 * series.length)
  larger.set(series)
  return larger
}

function add(series: Uint32Array, hour: number): void {
  series[hour] = (series[hour] ?? 0) + 1
}

/** All kinds of orders together, hour by hour. */
export function sumOf(hours: Hours, urgencies: readonly Urgency[] = URGENCIES): Float64Array {
  const sum = new Float64Array(hours.queued.length)
  for (const urgency of urgencies) {
    for (let hour = 0; hour < sum.length; hour += 1) {
      sum[hour] = (sum[hour] ?? 0) + (hours.orders[urgency][hour] ?? 0)
    }
  }
  return sum
}
