/** Lets a bounded number of holders in, in the order in which they came. */
export interface Slots {
  /** Waits for a free slot; disposing gives it back. Rejects with the signal's reason. */
  take(signal: AbortSignal): Promise<Disposable>
}

export function createSlots(count: number): Slots {
  let free = count
  const waiting = new Set<() => void>()

  const giveBack = (): void => {
    for (const next of waiting) {
      waiting.delete(next)
      next()
      return
    }
    free += 1
  }
  const slot = (): Disposable => {
    const given = new DisposableStack()
    given.defer(giveBack)
    return given
  }

  return {
    take: async (signal) => {
      signal.throwIfAborted()
      if (free > 0) {
        free -= 1
        return slot()
      }
      const turn = Promise.withResolvers<void>()
      const giveUp = (): void => {
        waiting.delete(turn.resolve)
        turn.reject(signal.reason)
      }
      waiting.add(turn.resolve)
      signal.addEventListener('abort', giveUp)
      try {
        await turn.promise
        return slot()
      } finally {
        signal.removeEventListener('abort', giveUp)
      }
    },
  }
}
