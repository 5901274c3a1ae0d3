import type { Clock } from '../../kernel/index.ts'

/** Calls back for those whose time is over, all of which wait equally long. */
export interface Patience {
  /** Returns what is to be called when waiting has come to its end before. */
  await(overdue: () => void): () => void
}

/** How exactly the end of a wait is met; a timer for each request would cost more than the rest. */
const STEP_MS = 25

export function createPatience(clock: Clock, spanMs: number): Patience {
  const waiting: { overdue: (() => void) | undefined; readonly dueMs: number }[] = []
  let isWatching = false

  const watch = async (): Promise<void> => {
    for (let first = waiting[0]; first; first = waiting[0]) {
      await clock.sleep(Math.max(first.dueMs - clock.monotonicMs(), STEP_MS))
      const nowMs = clock.monotonicMs()
      const next = waiting.findIndex(({ dueMs }) => dueMs > nowMs)
      for (const { overdue } of waiting.splice(0, next < 0 ? waiting.length : next)) overdue?.()
    }
    isWatching = false
  }

  return {
    await: (overdue) => {
      const one: (typeof waiting)[number] = { overdue, dueMs: clock.monotonicMs() + spanMs }
      waiting.push(one)
      if (!isWatching) {
        isWatching = true
        void watch()
      }
      return () => {
        one.overdue = undefined
      }
    },
  }
}
