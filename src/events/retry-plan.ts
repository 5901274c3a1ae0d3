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
 * on; `hold`: the receiver is left alone until `until`. No `retryAt`: the event is given up.
 */
export type RetryPlan =
  | { readonly kind: 'next-event'; readonly retryAt: Date | undefined }
  | {
      readonly kind: 'hold'
      readonly until: Date
      readonly retryAt: Date | undefined
      /** Before this, nothing that was refused is tried again: others come first. */
      readonly refusedWaitUntil: Date | undefined
    }

/** An event that nobody has taken for so long is given up: a weekend, and a day to notice. */
export const GIVE_UP_AFTER: Duration = days(3)

/**
 * Plans what follows a failed delivery: Mailgun's steps (8 h in all), then every 8 h until the event
 * is three days old. One that alone is refused does not stop the others. When three in a row are, it
 * may be the receiver that is ill: it is left alone, and then tried with three others.
 */
export function planRetry(
  { blame, attempts, failures, waitingSince, now }: FailedAttempt,
  random: Random,
): RetryPlan {
  const untilTooOld = (at: Date): Date | undefined =>
    at.getTime() - waitingSince.getTime() > GIVE_UP_AFTER ? undefined : at
  if (blame === 'receiver') {
    const until = after(now, pauseAfter(failures, random))
    return { kind: 'hold', until, retryAt: untilTooOld(until), refusedWaitUntil: undefined }
  }
  if (failures % REFUSED_IN_A_ROW_MAX !== 0) {
    const retryAt = after(now, pauseAfter(attempts, random))
    return { kind: 'next-event', retryAt: untilTooOld(retryAt) }
  }
  const until = after(now, pauseAfter(failures / REFUSED_IN_A_ROW_MAX, random))
  const retryAt = after(until, pauseAfter(attempts, random))
  return { kind: 'hold', until, retryAt: untilTooOld(retryAt), refusedWaitUntil: retryAt }
}

const STEPS: readonly Duration[] = [
  ...[minutes(10), minutes(10), minutes(15), minutes(30)],
  ...[hours(1), hours(2), hours(4)],
]
const LONGEST = hours(8)
/** Spreads those that failed together by up to a tenth. */
const JITTER = 0.1
const REFUSED_IN_A_ROW_MAX = 3

/** How long a receiver is left alone after so many failures in a row. */
export function pauseAfter(failures: number, random: Random): Duration {
  const step = STEPS[failures - 1] ?? LONGEST
  return milliseconds(Math.round(step * (1 + JITTER * random.fraction())))
}
