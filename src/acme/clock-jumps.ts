import { type Clock, seconds } from '../kernel/index.ts'

/** Notices when the wall clock was set forward: then it says that buckets filled up, and they did not. */
export interface ClockJumps {
  /** By how much it was set forward since the last `forget`; 0 for what clocks do by themselves. */
  jumpedMs(): number
  forget(): void
}

/** Less is within what we allow the CA to be behind us. */
const JUMP_MS_MIN = seconds(30)

/** A machine that slept counts as set forward, too: time passed, but it is safe to think it did not. */
export function createClockJumps(clock: Pick<Clock, 'now' | 'monotonicMs'>): ClockJumps {
  const lead = (): number => clock.now().getTime() - clock.monotonicMs()
  let leadMs = lead()
  return {
    jumpedMs: () => {
      const nowMs = lead()
      // Set back: what counts from then on is the new time.
      leadMs = Math.min(leadMs, nowMs)
      const jumpMs = nowMs - leadMs
      return jumpMs >= JUMP_MS_MIN ? Math.round(jumpMs) : 0
    },
    forget: () => {
      leadMs = lead()
    },
  }
}
