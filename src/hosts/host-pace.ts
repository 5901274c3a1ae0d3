import {
  after,
  backoff,
  type Duration,
  days,
  hours,
  milliseconds,
  minutes,
  type Random,
  seconds,
} from '../kernel/index.ts'

// How soon a host is looked at again.

/**
 * A look costs a few DNS questions and somebody may be sitting in front of it: every two seconds at
 * first, every minute after some ten, and from about an hour on at the pace of everything else.
 */
export function paceOfLooks(failures: number, random: Random): Duration {
  if (failures > QUICK_LOOKS) return backoff(failures - QUICK_LOOKS, random)
  const delay = Math.min(FIRST_LOOK * LOOK_GROWTH ** (failures - 1), LONGEST_QUICK_LOOK)
  return milliseconds(Math.round(delay * (1 + LOOK_JITTER * random.fraction())))
}

const FIRST_LOOK = seconds(2)
const LOOK_GROWTH = 1.4
const LONGEST_QUICK_LOOK = minutes(1)
/** The growing ones last 4 minutes, the others 56. */
const QUICK_LOOKS = 66
const LOOK_JITTER = 0.1

/** Our own workers cost nothing to ask, and a customer waits: never slower than a minute. */
export function paceOfServing(failures: number, random: Random): Duration {
  return milliseconds(
    Math.min(paceOfLooks(Math.min(failures, QUICK_LOOKS), random), LONGEST_QUICK_LOOK),
  )
}

/**
 * After attempts that led nowhere: `endIsNear` while each hour counts, because the certificate in
 * use ends within days.
 */
export function paceOfAttempts(
  failures: number,
  urgency: 'endIsNear' | 'asUsual',
  random: Random,
): Duration {
  const planned = backoff(failures, random)
  if (urgency === 'asUsual') return planned
  const spread = 1 + ATTEMPT_JITTER * random.fraction()
  return milliseconds(Math.min(planned, Math.round(LONGEST_NEAR_THE_END * spread)))
}

const LONGEST_NEAR_THE_END = hours(1)
const ATTEMPT_JITTER = 0.2

/** Of hosts with which nothing is wrong, or that have left: spread, so that none come together. */
export function paceOfRegularLooks(lookEvery: Duration | undefined, random: Random): Duration {
  const spread = 1 - REGULAR_JITTER + 2 * REGULAR_JITTER * random.fraction()
  return milliseconds(Math.round((lookEvery ?? LOOK_EVERY) * spread))
}

const LOOK_EVERY = days(1)
const REGULAR_JITTER = 0.1

/** When `delay` is over, but not before `atLeast`. */
export function next(
  now: Date,
  delay: Duration,
  atLeast: Date = now,
): { readonly nextAttemptAt: Date } {
  const planned = after(now, delay)
  return { nextAttemptAt: planned > atLeast ? planned : atLeast }
}

export function earlier(one: Date, other: Date | undefined): Date {
  return other && other < one ? other : one
}
