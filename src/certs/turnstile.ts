import { setImmediate } from 'node:timers/promises'

/**
 * Lets `perTurn` callers through in each turn of the event loop; the others wait, so that what
 * callers do next cannot keep everybody else from being served.
 */
export function createTurnstile(perTurn: number): () => Promise<void> {
  let passed = 0
  let nextTurn: Promise<void> | undefined

  const openAgain = async (): Promise<void> => {
    await setImmediate()
    passed = 0
    nextTurn = undefined
  }
  return async () => {
    while (passed >= perTurn) {
      nextTurn ??= openAgain()
      await nextTurn
    }
    passed += 1
  }
}
