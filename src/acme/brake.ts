import {
  after,
  type Clock,
  type Duration,
  milliseconds,
  minutes,
  type Random,
  seconds,
} from '../kernel/index.ts'
import { type AcmeError, concernsEverybody } from './errors.ts'

/** Why nothing is asked of the CA now, and until when. */
export interface Held {
  readonly error: AcmeError
  readonly until: Date
}

/**
 * Keeps 10,000 hosts from asking a CA that has just told the first of them to wait. One for each CA
 * and process; after a restart, the first host to ask finds out anew.
 */
export interface Brake {
  /** `undefined`: the CA may be asked. */
  held(): Held | undefined
  /** Holds all, if what went wrong concerns all. */
  pull(error: AcmeError): void
  /** Spreads those who wait for the same instant: later by a tenth of the wait, a minute at most. */
  spread(at: Date): Date
  /** Waits for the next turn to place an order: at once, unless the CA refused one lately. */
  orderTurn(signal: AbortSignal): Promise<void>
  /**
   * An order was refused for a limit, of the name or of the account: the CA tells only in words. So
   * the others may go on, but slowly, until one succeeds.
   */
  orderRefused(): void
  orderPlaced(): void
}

/** When the CA does not say how long. */
const HOLD: Duration = minutes(1)
/** Even if the CA says 0. */
const HOLD_MIN: Duration = seconds(5)
const SPREAD_SHARE = 0.1
const SPREAD_MAX: Duration = minutes(1)
const SLOW_TURN: Duration = seconds(1)

export function createBrake({
  clock,
  random,
}: {
  readonly clock: Clock
  readonly random: Random
}): Brake {
  let latest: Held | undefined
  let pace: 'free' | 'slow' = 'free'
  let nextTurnMs = Number.NEGATIVE_INFINITY

  return {
    held: () => (latest && latest.until > clock.now() ? latest : undefined),
    pull: (error) => {
      if (!concernsEverybody(error)) return
      const now = clock.now()
      const asked = error.retryAt ?? after(now, HOLD)
      const least = after(now, HOLD_MIN)
      const until = asked > least ? asked : least
      if (!latest || until > latest.until) latest = { error, until }
    },
    spread: (at) => {
      const waitMs = Math.max(0, at.getTime() - clock.now().getTime())
      const room = Math.min(SPREAD_MAX, SPREAD_SHARE * waitMs)
      return after(at, milliseconds(room * random.fraction()))
    },
    orderTurn: async (signal) => {
      if (pace === 'free') return
      const nowMs = clock.monotonicMs()
      const turnMs = Math.max(nowMs, nextTurnMs)
      nextTurnMs = turnMs + SLOW_TURN
      await clock.sleep(turnMs - nowMs, signal)
    },
    orderRefused: () => {
      pace = 'slow'
      nextTurnMs = Math.max(nextTurnMs, clock.monotonicMs() + SLOW_TURN)
    },
    orderPlaced: () => {
      pace = 'free'
    },
  }
}
