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
  /** Since when the event waits, and the pauses of its receiver since then. */
  readonly waitingSince: Date
  readonly pausedMs: number
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
const GIVE_UP_AFTER: Duration = days(3)

/**
 * Plans what follows a failed delivery: Mailgun's steps (8 h in all), then every 8 h until the event
 * is three days old. One that alone is refused does not stop the others. When three in a row are, it
 * may be the receiver that is ill: it is left alone, and then tried with three others.
 */
export function planRetry(
  { blame, attempts, failures, waitingSince, pausedMs, now }: FailedAttempt,
  random: Random,
): RetryPlan {
  const untilTooOld = (at: Date): Date | undefined => {
    const { since, notSince, walkedMs } = tooOldAt(at)
    const isOld = waitingSince < since || waitingSince > notSince
    const waitsMs = blame === 'receiver' ? at.getTime() - now.getTime() : 0
    const isWalked = Math.max(walkedIn(attempts), pausedMs + waitsMs) >= walkedMs
    return isOld && isWalked ? undefined : at
  }
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

/**
 * An instant further ahead than this was written by a clock that was wrong: it counts as past. The
 * longest pause of a receiver, and of an event behind it.
 */
export const FARTHEST_AHEAD: Duration = milliseconds(2 * LONGEST * (1 + JITTER))

/** What is given up at an instant. Age alone proves nothing: the clock may have leapt. */
export interface TooOld {
  /** What waits since before this, */
  readonly since: Date
  /** or since after this, which is yet to come, */
  readonly notSince: Date
  /** and was left to wait by our own pauses for as long as this. */
  readonly walkedMs: Duration
}

export function tooOldAt(at: Date): TooOld {
  return { since: after(at, milliseconds(-GIVE_UP_AFTER)), notSince: at, walkedMs: WALKED }
}

/** An event may come when a pause has just begun, which then does not count. */
const WALKED: Duration = milliseconds(GIVE_UP_AFTER - LONGEST * (1 + JITTER))

/** How long the steps after so many attempts last, without what is added to spread them. */
function walkedIn(attempts: number): number {
  const steps = STEPS.slice(0, attempts).reduce((sum, step) => sum + step, 0)
  return steps + LONGEST * Math.max(0, attempts - STEPS.length)
}

/** How long a receiver is left alone after so many failures in a row. */
export function pauseAfter(failures: number, random: Random): Duration {
  const step = STEPS[failures - 1] ?? LONGEST
  return milliseconds(Math.round(step * (1 + JITTER * random.fraction())))
}
