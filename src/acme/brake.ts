import {
  after,
  type Clock,
  type Duration,
  milliseconds,
  minutes,
  type Random,
  seconds,
} from '../kernel/index.ts'

/** Slows hosts down that come to one CA at once, for as long as that helps. One for each CA and process. */
export interface Brake {
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
  let pace: 'free' | 'slow' = 'free'
  let nextTurnMs = Number.NEGATIVE_INFINITY

  return {
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
