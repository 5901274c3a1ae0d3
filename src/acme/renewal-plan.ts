import { after, type Duration, milliseconds, type Random } from '../kernel/index.ts'

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

/**
 * Plans the renewal of a certificate: at a random point of the window the CA suggests
 * (RFC 9773 §4.2), else when two thirds of its life are used. Never later than the term allows, and
 * no window, however odd, may push it past 95 % of that life. The four arguments are four facts.
 */
export function planRenewal(
  life: Interval,
  window: Interval | undefined,
  random: Random,
  term: Duration,
): RenewalPlan {
  const wished: RenewalPlan = window
    ? { renewAt: pointIn(window, random.fraction()), because: 'ca-suggested-it' }
    : { renewAt: pointIn(life, 2 / 3), because: 'two-thirds-used' }
  // A renewal before the window would count against the CA's limits, one inside does not: so a term
  // that ends amid the window (60 of 90 days is its very centre) leaves room for its second half.
  const room = window ? milliseconds(Math.max(0, lengthOf(window) / 2)) : milliseconds(0)
  const termEnds = after(after(life.start, term), room)
  const latest = pointIn(life, 0.95)
  if (wished.renewAt <= termEnds && wished.renewAt <= latest) return wished
  return termEnds <= latest
    ? { renewAt: termEnds, because: 'term-ends' }
    : { renewAt: latest, because: 'nearly-expired' }
}

function pointIn(interval: Interval, fraction: number): Date {
  return new Date(interval.start.getTime() + fraction * lengthOf(interval))
}

function lengthOf({ start, end }: Interval): number {
  return end.getTime() - start.getTime()
}
