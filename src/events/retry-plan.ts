import {
  after,
  type Duration,
  days,
  hours,
  milliseconds,
  minutes,
  type Random,
} from '../kernel/index.ts'

/** Whom a failure speaks about: this one event, or the receiver, which would take no other either. */
export type Blame = 'event' | 'receiver'

/** What is known when a delivery has failed. */
export interface FailedAttempt {
  readonly blame: Blame
  /** Attempts of this event, this one included. */
  readonly attempts: number
  /** Failures of this receiver in a row, this one included. */
  readonly failures: number
  /** Since when the event waits. */
  readonly waitingSince: Date
  readonly now: Date
}

/**
 * What to do next. `next-event`: this one is set aside until `retryAt`, and the ones behind it go
 * on; `hold`: the receiver is left alone until `retryAt`. No `retryAt`: the event is given up.
 */
export type RetryPlan =
  | { readonly kind: 'next-event'; readonly retryAt: Date | undefined }
  | { readonly kind: 'hold'; readonly until: Date; readonly retryAt: Date | undefined }

/** An event that nobody has taken for so long is given up: a weekend, and a day to notice. */
export const GIVE_UP_AFTER: Duration = days(3)

/**
 * Plans what follows a failed delivery: Mailgun's steps (8 h in all), then every 8 h until the event
 * is three days old. One that alone is refused does not stop the others; when three in a row are, it
 * is the receiver that is ill.
 */
export function planRetry(
  { blame, attempts, failures, waitingSince, now }: FailedAttempt,
  random: Random,
): RetryPlan {
  const untilTooOld = (at: Date): Date | undefined =>
    at.getTime() - waitingSince.getTime() > GIVE_UP_AFTER ? undefined : at
  if (blame === 'event' && failures < REFUSED_IN_A_ROW_MAX) {
    return { kind: 'next-event', retryAt: untilTooOld(after(now, pauseAfter(attempts, random))) }
  }
  const until = after(now, pauseAfter(failures, random))
  // After the pause others come first: what was refused must not be what the receiver is tried with.
  const retryAt = blame === 'event' ? after(until, pauseAfter(attempts, random)) : until
  return { kind: 'hold', until, retryAt: untilTooOld(retryAt) }
}

const STEPS: readonly Duration[] = [
  ...[minutes(10), minutes(10), minutes(15), minutes(30)],
  ...[hours(1), hours(2), hours(4)],
]
const LONGEST = hours(8)
/** Spreads those that failed together by up to a tenth. */
const JITTER = 0.1
const REFUSED_IN_A_ROW_MAX = 3

function pauseAfter(failures: number, random: Random): Duration {
  const step = STEPS[failures - 1] ?? LONGEST
  return milliseconds(Math.round(step * (1 + JITTER * random.fraction())))
}
