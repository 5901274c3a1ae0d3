import type { Clock } from '../../src/kernel/index.ts'

/** A clock that stands still until it is moved. Sleepers wake when time passes them. */
export interface FakeClock extends Clock {
  advance(ms: number): Promise<void>
  readonly sleepers: number
}

export function createFakeClock(startIso = '2026-11-22T12:00:00Z'): FakeClock {
  const start = new Date(startIso).getTime()
  let now = start
  const sleeping = new Set<{ readonly at: number; wake(): void }>()

  return {
    now: () => new Date(now),
    monotonicMs: () => now - start,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) {
          reject(signal.reason)
          return
        }
        const sleeper = { at: now + ms, wake: resolve }
        sleeping.add(sleeper)
        signal?.addEventListener('abort', () => {
          sleeping.delete(sleeper)
          reject(signal.reason)
        })
      }),
    advance: async (ms) => {
      await settle()
      const end = now + ms
      for (;;) {
        const next = [...sleeping].sort((a, b) => a.at - b.at)[0]
        if (!next || next.at > end) break
        now = Math.max(now, next.at)
        sleeping.delete(next)
        next.wake()
        await settle()
      }
      now = end
      await settle()
    },
    get sleepers() {
      return sleeping.size
    },
  }
}

/** Lets everything that was waiting for the woken sleeper run. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}
