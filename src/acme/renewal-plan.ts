import { after, type Duration, hours, milliseconds, type Random } from '../kernel/index.ts'

/** When to renew a certificate, and why then. Stored once made: the random point is drawn once. */
export interface RenewalPlan {
  readonly renewAt: Date
  readonly because: 'ca-suggested-it' | 'two-thirds-used' | 'term-ends' | 'nearly-expired'
}

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
}

/** Whatever clocks and CAs say, a certificate is not replaced sooner than this. */
const PAUSE_MIN = hours(1)
/** Of the life that is left, where the CA gave no window: a certificate is used before it is replaced. */
const PAUSE_SHARE = 0.1

/**
 * Plans the renewal of a certificate: at a random point of the window the CA suggests
 * (RFC 9773 §4.2), else when two thirds of its life are used. Not later than the term allows. Not at
 * once either: a certificate that is due when it comes would be followed by the next, for ever. But
 * no window, however odd, and no pause may push it past 95 % of that life, or past the half of what
 * is left of it.
 */
export function planRenewal(facts: RenewalFacts, random: Random): RenewalPlan {
  const wished = wish(facts, random)
  const soonest = soonestFor(facts)
  const latest = latestFor(facts)
  const renewAt = wished.renewAt > soonest ? wished.renewAt : soonest
  return renewAt <= latest
    ? { renewAt, because: wished.because }
    : { renewAt: latest, because: 'nearly-expired' }
}

function wish({ life, window, term }: RenewalFacts, random: Random): RenewalPlan {
  const wished: RenewalPlan = window
    ? { renewAt: pointIn(window, random.fraction()), because: 'ca-suggested-it' }
    : { renewAt: pointIn(life, 2 / 3), because: 'two-thirds-used' }
  // A renewal before the window would count against the CA's limits, one inside does not: so a term
  // that ends amid the window (60 of 90 days is its very centre) leaves room for its second half.
  const room = milliseconds(window ? Math.max(0, lengthOf(window) / 2) : 0)
  const termEnds = after(after(life.start, term), room)
  return wished.renewAt <= termEnds ? wished : { renewAt: termEnds, because: 'term-ends' }
}

/** A window in the past means at once (RFC 9773 §4.2), as at a mass revocation: the hour, no more. */
function soonestFor({ life, window, now }: RenewalFacts): Date {
  const share = window ? 0 : PAUSE_SHARE * lengthOf({ start: now, end: life.end })
  return after(now, milliseconds(Math.max(PAUSE_MIN, share)))
}

/** The half of what is left counts only for a certificate that comes with hardly any life left. */
function latestFor({ life, now }: RenewalFacts): Date {
  const [byLife, byRest] = [pointIn(life, 0.95), pointIn({ start: now, end: life.end }, 0.5)]
  return byLife > byRest ? byLife : byRest
}

function pointIn(interval: Interval, fraction: number): Date {
  return new Date(interval.start.getTime() + fraction * lengthOf(interval))
}

function lengthOf({ start, end }: Interval): number {
  return end.getTime() - start.getTime()
}
