import { type Clock, systemClock } from '../../src/kernel/index.ts'

/** The real time, and later once it was moved. */
export function aMovableClock(): Clock & { move(ms: number): void } {
  let movedMs = 0
  return {
    ...systemClock,
    now: () => new Date(systemClock.now().getTime() + movedMs),
    monotonicMs: () => systemClock.monotonicMs() + movedMs,
    move: (ms) => {
      movedMs += ms
    },
  }
}
