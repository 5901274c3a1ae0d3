import { type Clock, createPlaces } from '../../kernel/index.ts'

/** Calls back for those whose time is over, all of which wait equally long. */
export interface Patience {
  /** Returns what is to be called when waiting has come to its end before. */
  await(overdue: () => void): () => void
}

/** How often all who wait are looked at; a timer for each request would cost more than the rest. */
const STEP_MS = 25

export function createPatience(clock: Clock, spanMs: number): Patience {
  const waiting = createPlaces<Waiting>()
  let isWatching = false

  const watch = async (): Promise<void> => {
    while (waiting.size > 0) {
      await clock.sleep(STEP_MS)
      const nowMs = clock.monotonicMs()
      for (const { dueMs, callBack } of waiting) if (dueMs <= nowMs) callBack()
    }
    isWatching = false
  }

  return {
    await: (overdue) => {
      const leave = waiting.take({
        dueMs: clock.monotonicMs() + spanMs,
        callBack: () => {
          leave()
          overdue()
        },
      })
      if (!isWatching) {
        isWatching = true
        void watch()
      }
      return leave
    },
  }
}

interface Waiting {
  readonly dueMs: number
  callBack(): void
}
