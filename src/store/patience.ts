import { setTimeout as delay } from 'node:timers/promises'

/**
 * Tries again while somebody else is in the way: at once, then after pauses that grow. These are
 * real pauses, whatever the clock in use: other processes do not live by a clock of ours. The last
 * failure is thrown when `tries` are used up.
 */
export async function withPatience<Result>(
  work: () => Result | Promise<Result>,
  { tries, mayTryAgain }: Patience,
): Promise<Result> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await work()
    } catch (error) {
      if (failures >= tries || !mayTryAgain(error)) throw error
    }
    await delay(Math.min(failures, PAUSE_MS_MAX))
  }
}

export interface Patience {
  readonly tries: number
  readonly mayTryAgain: (error: unknown) => boolean
}

/** Long enough to let a transaction with its fsync pass, short enough not to miss the turn. */
const PAUSE_MS_MAX = 20
