import { after, type Clock, type Duration, hours, milliseconds, minutes } from '../kernel/index.ts'
import { AcmeError } from './errors.ts'

/**
 * Compares our clock with those of the CAs (the `Date` of their answers). With a clock that is days
 * off everything looks due at once, or nothing does; so nothing is ordered until it is right.
 */
export interface ClockGuard {
  /** A CA said what time it is. */
  note(ca: string, caDate: Date): void
  /**
   * How far we are ahead, by the CA that agrees most with us; `undefined` if none has said. Follows
   * our clock when it is set, without another question.
   */
  skew(): Duration | undefined
  verdict(): ClockVerdict
}

export type ClockVerdict =
  /** Or nobody has said. */
  | { readonly kind: 'right' }
  /** `isRecent`: no use in asking again now. */
  | { readonly kind: 'wrong'; readonly skew: Duration; readonly isRecent: boolean }

/** CAs date certificates back by an hour, for clocks that are slow; more than that is a fault. */
export const CLOCK_SKEW_MAX: Duration = hours(1)
/** A machine that slept does not count the time: so a bad verdict is asked for again. */
const CLOCK_VERDICT_LASTS: Duration = minutes(10)

/** Nothing is ordered with such a clock. */
export function wrongClock(skew: Duration, now: Date): AcmeError {
  const apartHours = (Math.abs(skew) / hours(1)).toFixed(1)
  const message = `it is ${apartHours} h ${skew > 0 ? 'ahead' : 'behind'}`
  return new AcmeError('acme/clock-wrong', message, {
    askedFor: 'common',
    retryAt: after(now, CLOCK_VERDICT_LASTS),
  })
}

export function createClockGuard(clock: Clock): ClockGuard {
  const saidByCa = new Map<string, { readonly caMs: number; readonly atMs: number }>()

  const skews = (): readonly number[] => {
    const [nowMs, monotonicMs] = [clock.now().getTime(), clock.monotonicMs()]
    return [...saidByCa.values()].map(({ caMs, atMs }) => nowMs - caMs - (monotonicMs - atMs))
  }
  const skew = (): Duration | undefined => {
    const [least] = skews().toSorted((one, other) => Math.abs(one) - Math.abs(other))
    return least === undefined ? undefined : milliseconds(Math.round(least))
  }
  return {
    note: (ca, caDate) => {
      saidByCa.set(ca, { caMs: caDate.getTime(), atMs: clock.monotonicMs() })
    },
    skew,
    verdict: () => {
      const now = skew()
      if (now === undefined || Math.abs(now) <= CLOCK_SKEW_MAX) return { kind: 'right' }
      const latestMs = Math.max(...[...saidByCa.values()].map(({ atMs }) => atMs))
      const isRecent = clock.monotonicMs() - latestMs < CLOCK_VERDICT_LASTS
      return { kind: 'wrong', skew: now, isRecent }
    },
  }
}
