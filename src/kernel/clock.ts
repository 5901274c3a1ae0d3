import { setTimeout as delay } from 'node:timers/promises'

/** The only source of time. Passed to everything that needs it, so that tests can move it. */
export interface Clock {
  /** Wall-clock time: for validity, deadlines that are stored, and what people read. */
  now(): Date
  /** Milliseconds that never run backwards: for measuring spans in this process. */
  monotonicMs(): number
  /** Resolves after `ms`, or rejects with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  sleep: async (ms, signal) => {
    await delay(Math.min(ms, TIMER_MS_MAX), undefined, signal ? { signal } : {})
  },
}

/** Node turns a longer timer into one of 1 ms. */
const TIMER_MS_MAX = 2 ** 31 - 1
