import { type Duration, days, milliseconds, minutes } from './duration.ts'
import type { Random } from './random.ts'

/** Let's Encrypt's integration guide: 1, 10, 100 minutes, then once a day for ever. */
const STEPS: readonly Duration[] = [minutes(1), minutes(10), minutes(100)]
const LONGEST = days(1)
/** Spreads those that failed together by up to a fifth, so that they do not come back together. */
const JITTER = 0.2

/** How long to wait after the `failures`-th failure in a row (1 = the first). */
export function backoff(failures: number, random: Random): Duration {
  const step = STEPS[failures - 1] ?? LONGEST
  return milliseconds(Math.round(step * (1 + JITTER * random.fraction())))
}
