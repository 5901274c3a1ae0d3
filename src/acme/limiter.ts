/** Lets at most `limit` pieces of work run at once; the others wait their turn. */
export function createLimiter(
  limit: number,
): <Result>(work: () => Promise<Result>, signal: AbortSignal) => Promise<Result> {
  const waiting = new Set<() => void>()
  let running = 0

  const enter = async (signal: AbortSignal): Promise<void> => {
    signal.throwIfAborted()
    if (running < limit) {
      running += 1
      return
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const give = (): void => resolve()
    const stop = (): void => {
      if (waiting.delete(give)) reject(signal.reason)
    }
    waiting.add(give)
    signal.addEventListener('abort', stop, { once: true })
    await promise.finally(() => signal.removeEventListener('abort', stop))
  }
  /** The place is handed on: nobody who comes later slips in between. */
  const leave = (): void => {
    const [next] = waiting
    if (!next) {
      running -= 1
      return
    }
    waiting.delete(next)
    next()
  }

  return async (work, signal) => {
    await enter(signal)
    try {
      return await work()
    } finally {
      leave()
    }
  }
}
