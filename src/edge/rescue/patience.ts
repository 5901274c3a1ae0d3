import type { Clock } from '../../kernel/index.ts'

/** Calls back for those whose time is over, all of which wait equally long. */
export interface Patience {
  /** Returns what is to be called when waiting has come to its end before. */
  await(overdue: () => void): () => void
}

/** How exactly the end of a wait is met; a timer for each request would cost more than the rest. */
const STEP_MS = 25

export function createPatience(clock: Clock, spanMs: number): Patience {
  // Places that are used again, and nothing is kept of who is done: a queue of all who came in half a
  // second outlives V8's young generation with whatever hangs on it, and cost a tenth of a request.
  const places: (Waiting | undefined)[] = []
  const free: number[] = []
  let isWatching = false

  const leave = (place: number): void => {
    places[place] = undefined
    free.push(place)
  }
  const watch = async (): Promise<void> => {
    while (free.length < places.length) {
      await clock.sleep(STEP_MS)
      const nowMs = clock.monotonicMs()
      for (const [place, one] of places.entries()) {
        if (!one || one.dueMs > nowMs) continue
        leave(place)
        one.overdue()
      }
    }
    isWatching = false
  }

  return {
    await: (overdue) => {
      const one = { overdue, dueMs: clock.monotonicMs() + spanMs }
      const place = free.pop() ?? places.length
      places[place] = one
      if (!isWatching) {
        isWatching = true
        void watch()
      }
      return () => {
        if (places[place] === one) leave(place)
      }
    },
  }
}

interface Waiting {
  readonly overdue: () => void
  readonly dueMs: number
}
