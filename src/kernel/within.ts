import type { Clock } from './clock.ts'

/** `late`: it goes on, and whoever cares for what it brings has to see to that. */
export type InTime<Value> =
  | { readonly kind: 'in-time'; readonly value: Value }
  | { readonly kind: 'late' }

/** Waits for `work`, but only so long. Throws what `work` throws in that time. */
export async function within<Value>(
  work: Promise<Value>,
  ms: number,
  clock: Pick<Clock, 'sleep'>,
): Promise<InTime<Value>> {
  const waiting = new AbortController()
  const { signal } = waiting
  const deadline = clock.sleep(ms, signal).then(
    () => LATE,
    (error: unknown) => {
      if (!signal.aborted) throw error
      return LATE
    },
  )
  const inTime = work.then((value) => ({ kind: 'in-time', value }) as const)
  try {
    return await Promise.race([inTime, deadline])
  } finally {
    waiting.abort()
  }
}

const LATE = { kind: 'late' } as const
