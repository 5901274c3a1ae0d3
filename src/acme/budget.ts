/**
 * A CA's limits as we judge them before it does. Each bucket is kept as one number, the instant when
 * it will be full again (GCRA, which is how Let's Encrypt keeps them, too). Milliseconds and not
 * dates: a simulation judges ten million orders.
 */
import type { Urgency } from '../kernel/index.ts'
import type { CaLimits, LimitName, OrderKind, TokenBucket } from './limits.ts'

/** What there is to renew. */
export interface FleetSize {
  readonly hosts: number
  /**
   * How long their certificates are used, as their renewals are planned: with lives of 45 days 30,
   * whatever the term. A longer one than that makes our own pace too slow.
   */
  readonly termMs: number
}

/** What is known of an order before it is placed. Instants are milliseconds since 1970. */
export interface BudgetFacts {
  readonly limits: CaLimits
  readonly kind: OrderKind
  readonly urgency: Urgency
  readonly hostname: string
  /** The registered domain of `hostname`. */
  readonly domain: string
  readonly fleet: FleetSize
  readonly fullAt: FullAt
}

/** When a bucket will be full again; `undefined`: it is. Asked for the buckets of `bucketsOf`. */
export type FullAt = (limit: BucketName, bucket: string) => number | undefined

/** What is judged. `told-to-wait` is what the CA itself said, although we saw no reason. */
export type BucketName = Exclude<LimitName, 'failures-in-a-row'> | 'told-to-wait'

/** The bucket of limits that count the whole account. */
export const ACCOUNT_BUCKET = ''

export interface Spend {
  readonly limit: BucketName
  readonly bucket: string
  /** When it will be full again, in whole milliseconds. */
  readonly fullAtMs: number
}

export type BudgetVerdict =
  /** `spend` is to be written down with the order: nothing is spent by judging. */
  | { readonly kind: 'allowed'; readonly spend: readonly Spend[] }
  | {
      readonly kind: 'denied'
      readonly limit: BucketName
      readonly until: Date
      /** `account`: other names have to wait as well. */
      readonly scope: 'account' | 'name'
    }

/**
 * Between our count and the CA's lie the network, queues and the validation: its buckets fill up
 * again later than ours by as much. So a bucket counts as full only so much later.
 */
export const LATENESS_MS_MAX = 2 * 60_000
/** Of a bucket that fills up within minutes, this share of that time has to do. */
const LATENESS_SHARE = 0.1

/** Of the account's orders, what is kept for certificates that end or must be replaced now. */
const ORDERS_RESERVE: Readonly<Record<Urgency, number>> = {
  expiring: 0,
  'replace-now': 0,
  first: 0.1,
  renewal: 0.1,
  idle: 0.5,
}
/** Of our own pace. As tokens come one by one, whoever may use the last ones goes first. */
const PACE_RESERVE: Readonly<Record<Urgency, number>> = {
  expiring: 0,
  'replace-now': 0,
  first: 0,
  renewal: 0.25,
  idle: 0.5,
}

/** Planned work at the most, against what the fleet needs in the long run: peaks stay below twice. */
const PACE_OVER_MEAN = 1.4
/** What may come at once, of an hour's worth. */
const PACE_BURST_HOURS = 0.1
const HOUR_MS = 3_600_000

/**
 * Judges whether an order may be placed now. If several limits forbid it, the one that does so for
 * longest is told, as CAs do. After a clock was set back no bucket counts as emptier than empty.
 */
export function judgeBudget(facts: BudgetFacts, nowMs: number): BudgetVerdict {
  const spend: Spend[] = []
  let closed: TouchedBucket | undefined
  let untilMs = nowMs
  for (const touched of bucketsOf(facts)) {
    const { limit, bucket, shape } = touched
    const fullAtMs = facts.fullAt(limit, bucket) ?? LONG_AGO_MS
    const opensMs = opensAt(touched, fullAtMs, nowMs)
    if (opensMs > untilMs) {
      closed = touched
      untilMs = opensMs
    }
    if (touched.costs) spend.push({ limit, bucket, fullAtMs: spendFrom(shape, fullAtMs, nowMs) })
  }
  if (!closed) return { kind: 'allowed', spend }
  const scope = closed.bucket === ACCOUNT_BUCKET ? 'account' : 'name'
  // Rounded up: at the instant itself the order must be allowed.
  return { kind: 'denied', limit: closed.limit, until: new Date(Math.ceil(untilMs)), scope }
}

/** Since when a bucket is full of which nothing is known. */
export const LONG_AGO_MS = Number.NEGATIVE_INFINITY
/** More is never asked for at once. */
const ROOM_MAX = 1_000

/** How many orders the limits of the whole account allow now, 0 … 1000. Names are not looked at. */
export function roomFor(
  facts: Pick<BudgetFacts, 'limits' | 'kind' | 'urgency' | 'fleet' | 'fullAt'>,
  nowMs: number,
): number {
  let room = ROOM_MAX
  for (const touched of accountBucketsOf(facts)) {
    const fullAtMs = facts.fullAt(touched.limit, touched.bucket) ?? LONG_AGO_MS
    const left = tokensLeft(touched, fullAtMs, nowMs)
    if (left === 0) return 0
    if (touched.costs) room = Math.min(room, left)
  }
  return room
}

/** How many certificates may be renewed in an hour in the long run; Infinity where nothing limits it. */
export function renewalsPerHour(limits: CaLimits, fleet: FleetSize): number {
  const touched = accountBucketsOf({ limits, kind: 'renewal', urgency: 'renewal', fleet })
  const rates = touched.filter(({ costs }) => costs).map(({ shape }) => HOUR_MS / shape.tokenMs)
  return Math.min(...rates)
}

/** A bucket in the numbers that judging needs. */
export interface BucketShape {
  readonly capacity: number
  /** In which one token comes back, in whole milliseconds: so nothing is lost to rounding. */
  readonly tokenMs: number
  /** In which all of them do. */
  readonly perMs: number
  /** By how much the CA may be behind us. */
  readonly latenessMs: number
}

/** A bucket that an order looks at, and takes a token from if it `costs`. */
export interface TouchedBucket {
  readonly limit: BucketName
  readonly bucket: string
  readonly shape: BucketShape
  /** Tokens that this order may not touch. */
  readonly reserve: number
  readonly costs: boolean
}

/** Which buckets an order touches: those to be read before it is judged. */
export function bucketsOf(facts: Omit<BudgetFacts, 'fullAt'>): readonly TouchedBucket[] {
  const { limits, kind, hostname, domain } = facts
  const touched = accountBucketsOf(facts)
  const add = (limit: CaBucketName, bucket: string, costs: boolean): void => {
    const shape = limits.orders[limit] && shapeOf(limits.orders[limit])
    if (!shape || isExempt(limits, kind, limit)) return
    touched.push({ limit, bucket, shape, reserve: 0, costs })
  }
  touched.push(toldToWait(hostname))
  add('certificates-per-domain', domain, true)
  add('certificates-per-name', hostname, true)
  add('failures-per-name', hostname, false)
  return touched
}

type CaBucketName = Exclude<BucketName, 'told-to-wait'>

/** Those of them that belong to the whole account. */
export function accountBucketsOf({
  limits,
  kind,
  urgency,
  fleet,
}: Pick<BudgetFacts, 'limits' | 'kind' | 'urgency' | 'fleet'>): TouchedBucket[] {
  const touched = [toldToWait(ACCOUNT_BUCKET)]
  const count = (limit: CaBucketName, shape: BucketShape, reserveShare: number): void => {
    const reserve = Math.floor(shape.capacity * reserveShare)
    touched.push({ limit, bucket: ACCOUNT_BUCKET, shape, reserve, costs: true })
  }
  const { 'orders-per-account': orders, 'own-pace': pace } = limits.orders
  if (orders && !isExempt(limits, kind, 'orders-per-account')) {
    count('orders-per-account', shapeOf(orders), ORDERS_RESERVE[urgency])
  }
  if (pace && isPlanned(urgency)) count('own-pace', paceShape(pace, fleet), PACE_RESERVE[urgency])
  return touched
}

/** No CA says a longer time: see `retryAtOf`. */
const TOLD_MS_MAX = 8 * 24 * HOUR_MS
/** Not a bucket of the CA's, but an instant that has to pass, in the form of one. */
export const TOLD_TO_WAIT: BucketShape = {
  ...{ capacity: 1, tokenMs: TOLD_MS_MAX, perMs: TOLD_MS_MAX, latenessMs: 0 },
}

function toldToWait(bucket: string): TouchedBucket {
  return { limit: 'told-to-wait', bucket, shape: TOLD_TO_WAIT, reserve: 0, costs: false }
}

function isExempt({ exempt }: CaLimits, kind: OrderKind, limit: LimitName): boolean {
  return kind !== 'first' && exempt[kind].includes(limit)
}

/** What ends soon must not wait for a pace of our own, and new customers are not planned. */
function isPlanned(urgency: Urgency): boolean {
  return urgency !== 'expiring' && urgency !== 'first'
}

/** Computed once for each limit: the loop of a simulation asks ten million times. */
const shapes = new WeakMap<TokenBucket, BucketShape>()

/** A bucket of the CA's as numbers. */
export function shapeOf(bucket: TokenBucket): BucketShape {
  const known = shapes.get(bucket)
  if (known) return known
  const { capacity, per } = bucket
  const latenessMs = Math.min(LATENESS_MS_MAX, LATENESS_SHARE * per)
  const shape = { capacity, tokenMs: Math.ceil(per / capacity), perMs: per, latenessMs }
  shapes.set(bucket, shape)
  return shape
}

/** Our own pace: what the fleet needs in the long run and some more, or the least that it gets. */
export function paceShape(least: TokenBucket, { hosts, termMs }: FleetSize): BucketShape {
  const leastPerHour = (least.capacity / least.per) * HOUR_MS
  const neededPerHour = (hosts / termMs) * HOUR_MS * PACE_OVER_MEAN
  const perHour = Math.max(leastPerHour, neededPerHour)
  const capacity = Math.max(1, Math.floor(perHour * PACE_BURST_HOURS))
  const tokenMs = Math.ceil(HOUR_MS / perHour)
  return { capacity, tokenMs, perMs: HOUR_MS * PACE_BURST_HOURS, latenessMs: 0 }
}

/** When a bucket is full again after one token more was taken, in whole milliseconds. */
export function spendFrom(shape: BucketShape, fullAtMs: number, nowMs: number): number {
  return Math.ceil(Math.max(nowMs, Math.min(fullAtMs, emptyAt(shape, nowMs))) + shape.tokenMs)
}

/**
 * How many tokens may be taken one after the other now. Of a full bucket fewer than all: once the
 * first is taken, we cannot tell how long ago that was for the CA.
 */
export function tokensLeft(
  touched: Pick<TouchedBucket, 'shape' | 'reserve'>,
  fullAtMs: number,
  nowMs: number,
): number {
  if (opensAt(touched, fullAtMs, nowMs) > nowMs) return 0
  const sinceOpenedMs = nowMs - opensAt(touched, Math.max(fullAtMs, nowMs), nowMs)
  return Math.max(1, 1 + Math.floor(sinceOpenedMs / touched.shape.tokenMs + ROUNDING))
}

/** A token that is missing by less is there. */
const ROUNDING = 1e-9

/** When there is a token to take; now or the past: there is one. */
function opensAt(
  { shape, reserve }: Pick<TouchedBucket, 'shape' | 'reserve'>,
  fullAtMs: number,
  nowMs: number,
): number {
  const fullMs = Math.min(fullAtMs, emptyAt(shape, nowMs)) + shape.latenessMs
  return fullMs - (shape.capacity - reserve - 1) * shape.tokenMs
}

/** The furthest that a bucket's instant can lie ahead: it is empty then. */
export function emptyAt({ capacity, tokenMs }: BucketShape, nowMs: number): number {
  return nowMs + capacity * tokenMs
}
