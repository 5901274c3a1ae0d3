import { setImmediate } from 'node:timers/promises'

/**
 * Lets `perTurn` callers through in each turn of the event loop; the others wait, so that what
 * callers do next cannot keep everybody else from being served. First come, first through. Those
 * that wait are as many as their callers have connections: the bound is theirs.
 */
export function createTurnstile(perTurn: number): () => Promise<void> {
  const waiting: (() => void)[] = []
  let passed = 0
  let isTurning = false

  /** Turns for as long as anybody wants through. */
  const turn = async (): Promise<void> => {
    while (passed > 0) {
      await setImmediate()
      const next = waiting.splice(0, perTurn)
      passed = next.length
      for (const letThrough of next) letThrough()
    }
    isTurning = false
  }
  return () => {
    if (passed === perTurn) return new Promise((resolve) => waiting.push(resolve))
    passed += 1
    if (!isTurning) {
      isTurning = true
      void turn()
    }
    return Promise.resolve()
  }
}
