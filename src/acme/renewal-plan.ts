import { type Duration, days, hours, type Random } from '../kernel/index.ts'

/** When to renew a certificate, and why then. Stored once made: the random point is drawn once. */
export interface RenewalPlan {
  readonly renewAt: Date
  readonly because: RenewalCause
}

export type RenewalCause =
  | 'ca-suggested-it'
  /**
   * The window is over, or will be within a day although it is too early for that: the CA wants the
   * certificate replaced, as at a mass revocation.
   */
  | 'ca-says-now'
  | 'two-thirds-used'
  /** Of a life of less than ten days. */
  | 'half-used'
  | 'term-ends'
  | 'nearly-expired'

/** From one instant to another. */
export interface Interval {
  readonly start: Date
  readonly end: Date
}

/** What is known of a certificate when its renewal is planned. */
export interface RenewalFacts {
  readonly life: Interval
  /** What the CA suggests, if it does. */
  readonly window: Interval | undefined
  readonly term: Duration
  readonly now: Date
  /** Since when we have it. */
  readonly heldSince: Date
}

/** Whatever clocks and CAs say, a certificate is not replaced sooner than this. */
const PAUSE_MIN = hours(1)
/** Of the life that is left, where the CA gave no window: a certificate is used before it is replaced. */
const PAUSE_SHARE = 0.1
/** Let's Encrypt asks for the half of a life shorter than this, and for two thirds of a longer one. */
const SHORT_LIFE = days(10)
/** No reason is good enough to use a certificate for longer. */
const LIFE_SHARE_MAX = 0.95

/**
 * Plans the renewal of a certificate: at a random point of the window the CA suggests
 * (RFC 9773 §4.2), else when two thirds of its life are used, half of a short one. Not later than
 * the term allows. Not at once either: a certificate that is due when it comes would be followed by
 * the next, for ever. But no window, however odd, and no pause may push it past 95 % of that life,
 * or past the half of what is left of it when it came.
 *
 * Each call draws anew: whoever has a plan asks for another only when the window has changed.
 */
export function planRenewal(facts: RenewalFacts, random: Random): RenewalPlan {
  const { life } = facts
  const window = facts.window && isSane(facts.window, life) ? facts.window : undefined
  const heldMs = facts.heldSince.getTime()
  const leftMs = life.end.getTime() - heldMs

  const { because, atMs } =
    window && isUrgent(window, facts) ? atOnce(facts, window) : wish(facts, window, random)
  const soonestMs = heldMs + Math.max(PAUSE_MIN, window ? 0 : PAUSE_SHARE * leftMs)
  // The half of what is left counts only for one that came with hardly any life left.
  const latestMs = Math.max(pointMs(life, LIFE_SHARE_MAX), heldMs + leftMs / 2)
  const renewMs = Math.max(atMs, soonestMs)
  return renewMs <= latestMs
    ? { renewAt: new Date(renewMs), because }
    : { renewAt: new Date(latestMs), because: 'nearly-expired' }
}

/**
 * One that ends before it begins, begins when the certificate is over, or is longer than its whole
 * life says nothing, and counts as none (RFC 9773 §4.2). One in the past means at once.
 */
function isSane(window: Interval, life: Interval): boolean {
  const windowMs = lengthMs(window)
  return windowMs > 0 && windowMs <= lengthMs(life) && window.start < life.end
}

/** Over, or over within a day and begun long before anybody would renew: then it is no suggestion. */
function isUrgent(window: Interval, { life, now }: RenewalFacts): boolean {
  if (window.end <= now) return true
  const usualMs = pointMs(life, usualShare(life) - EARLY_SHARE)
  const isShortNotice = window.end.getTime() - now.getTime() <= SHORT_NOTICE
  return isShortNotice && window.start.getTime() < usualMs
}

/** CAs have to revoke within a day what is worst. */
const SHORT_NOTICE = days(1)
/** Of the life: the windows of all CAs that we know begin later than this before our own point. */
const EARLY_SHARE = 0.1

/** But not before the window, where a renewal would count against the CA's limits. */
function atOnce({ life, term, now }: RenewalFacts, window: Interval): Wish {
  const fromMs = Math.min(window.start.getTime(), life.start.getTime() + term)
  return { atMs: Math.max(now.getTime(), fromMs), because: 'ca-says-now' }
}

interface Wish {
  readonly atMs: number
  readonly because: RenewalCause
}

function wish({ life, term }: RenewalFacts, window: Interval | undefined, random: Random): Wish {
  const termEndsMs = life.start.getTime() + term
  if (window) {
    const atMs = pointMs(window, random.fraction())
    // A renewal before the window would count against the CA's limits, one inside does not: so a
    // term that ends amid the window (60 of 90 days is its very centre) lasts to the window's end.
    const isAmid = window.start.getTime() <= termEndsMs && termEndsMs < window.end.getTime()
    if (atMs <= termEndsMs || isAmid) return { atMs, because: 'ca-suggested-it' }
    return { atMs: termEndsMs, because: 'term-ends' }
  }
  const atMs = pointMs(life, usualShare(life))
  if (atMs > termEndsMs) return { atMs: termEndsMs, because: 'term-ends' }
  return { atMs, because: isShort(life) ? 'half-used' : 'two-thirds-used' }
}

function usualShare(life: Interval): number {
  return isShort(life) ? 1 / 2 : 2 / 3
}

function isShort(life: Interval): boolean {
  return lengthMs(life) < SHORT_LIFE
}

function pointMs(interval: Interval, fraction: number): number {
  return interval.start.getTime() + fraction * lengthMs(interval)
}

function lengthMs({ start, end }: Interval): number {
  return end.getTime() - start.getTime()
}
