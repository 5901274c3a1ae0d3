import type { Clock } from '../../kernel/index.ts'

/** The value of a Date field (RFC 9110 §6.6.1), formatted once a second. */
export function createHttpDate(clock: Clock): () => string {
  let text = ''
  let until = Number.NEGATIVE_INFINITY
  return () => {
    const nowMs = clock.monotonicMs()
    if (nowMs >= until) {
      const now = clock.now()
      text = now.toUTCString()
      until = nowMs + 1000 - now.getMilliseconds()
    }
    return text
  }
}
