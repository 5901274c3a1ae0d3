import type { Clock, Random } from '../../kernel/index.ts'

/** 48 bits of milliseconds and 80 random ones, as in `kernel/id`. */
const TIME_DIGITS = 12
const RANDOM_BYTES = 10
/** Ids whose random bytes are drawn together: a draw costs as much as all else about a request. */
const DRAWN_AT_ONCE = 512

/**
 * Makes ids of the form that `newId` makes them in, for requests: sorted by time, not to be guessed,
 * and hundreds of them from one draw. Takes the monotonic time, which its caller has read anyway.
 */
export function createRequestIds({
  clock,
  random,
}: {
  readonly clock: Clock
  readonly random: Random
}): (monotonicMs: number) => string {
  let drawn = ''
  let at = 0
  let prefix = ''
  let prefixUntilMs = Number.NEGATIVE_INFINITY
  return (monotonicMs) => {
    if (at === drawn.length) {
      drawn = random.bytes(RANDOM_BYTES * DRAWN_AT_ONCE).toString('hex')
      at = 0
    }
    if (monotonicMs >= prefixUntilMs) {
      prefix = clock.now().getTime().toString(16).padStart(TIME_DIGITS, '0')
      prefixUntilMs = monotonicMs + 1
    }
    const unguessable = drawn.slice(at, at + 2 * RANDOM_BYTES)
    at += 2 * RANDOM_BYTES
    return prefix + unguessable
  }
}
