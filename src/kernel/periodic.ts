import type { Clock } from './clock.ts'
import type { Duration } from './duration.ts'

/** A loop in the background; disposing stops it and waits for the round under way. */
export interface Periodic extends AsyncDisposable {
  /** Starts the next round now, or directly after the one under way. */
  wake(): void
}

export interface PeriodicOptions {
  readonly clock: Clock
  /** The pause between two rounds that nobody woke; a function is asked before each. */
  readonly every: Duration | (() => Duration)
  /** What the loop is for: a failure must be seen by somebody, and must not end the loop. */
  readonly onError: (error: unknown) => void
}

/** Runs `round` at once and then again after each pause or `wake()`, one round at a time. */
export function startPeriodic(
  round: (signal: AbortSignal) => Promise<void>,
  { clock, every, onError }: PeriodicOptions,
): Periodic {
  const stopping = new AbortController()
  let called = Promise.withResolvers<void>()

  const loop = async (): Promise<void> => {
    while (!isAborted(stopping.signal)) {
      called = Promise.withResolvers()
      try {
        await round(stopping.signal)
      } catch (error) {
        if (!isAborted(stopping.signal)) onError(error)
      }
      await pause(called.promise)
    }
  }
  const pause = async (wake: Promise<void>): Promise<void> => {
    const napping = new AbortController()
    const until = AbortSignal.any([napping.signal, stopping.signal])
    // Being cut short is how a nap ends; any other rejection of the clock is a fault of its own.
    const ms = typeof every === 'function' ? every() : every
    const nap = clock.sleep(ms, until).catch((error: unknown) => {
      if (!until.aborted) throw error
    })
    await Promise.race([nap, wake])
    napping.abort()
  }
  const running = loop()

  return {
    wake: () => called.resolve(),
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      await running
    },
  }
}

/** A call, because the compiler believes that a property once false stays so across an await. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted
}
