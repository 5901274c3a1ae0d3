import type { Clock } from '../../kernel/index.ts'
import { STRANGERS_MS_MIN, STRANGERS_PER_SECOND_MAX } from '../limits.ts'

/** Whether strangers come in such numbers that each is worth a look before any TLS is made for it. */
export interface FloodWatch {
  /** Somebody came for whom there was nothing. */
  noteStranger(): void
  isOn(): boolean
}

export function createFloodWatch({
  clock,
}: {
  readonly clock: Pick<Clock, 'monotonicMs'>
}): FloodWatch {
  let secondSinceMs = Number.NEGATIVE_INFINITY
  let strangers = 0
  let onUntilMs = Number.NEGATIVE_INFINITY
  return {
    noteStranger: () => {
      const nowMs = clock.monotonicMs()
      if (nowMs - secondSinceMs >= 1000) {
        secondSinceMs = nowMs
        strangers = 0
      }
      strangers += 1
      if (strangers > STRANGERS_PER_SECOND_MAX) onUntilMs = nowMs + STRANGERS_MS_MIN
    },
    isOn: () => clock.monotonicMs() < onUntilMs,
  }
}
