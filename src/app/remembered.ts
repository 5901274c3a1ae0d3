import { type Clock, createSingleFlight, type Duration } from '../kernel/index.ts'

/** Asks at most once in a while: for what takes long to count, and is asked for by many. */
export function remembered<Value>(
  ask: () => Promise<Value>,
  { clock, keptFor }: { readonly clock: Clock; readonly keptFor: Duration },
): () => Promise<Value> {
  const flight = createSingleFlight<'ask', Value>()
  let kept: { readonly value: Value; readonly untilMs: number } | undefined
  return () =>
    flight('ask', async () => {
      if (kept && clock.monotonicMs() < kept.untilMs) return kept.value
      const value = await ask()
      kept = { value, untilMs: clock.monotonicMs() + keptFor }
      return value
    })
}
