import { z } from 'zod'
import { type Duration, days, formatDuration, minutes, parseDuration } from '../kernel/index.ts'

const CONCURRENCY_MAX = 64
/** A look costs the world's name servers a dozen questions. */
const LOOK_EVERY_MIN: Duration = minutes(10)

function span(standard: string, atLeast: Duration) {
  return z
    .string()
    .default(standard)
    .transform((text, context) => {
      const duration = parseDuration(text)
      if (duration !== undefined && duration >= atLeast) return duration
      const message = `not a span of ${formatDuration(atLeast)} or more, like ${standard}`
      context.addIssue({ code: 'custom', message })
      return z.NEVER
    })
}

/** `lifecycle.*`: how hosts are moved along. */
export const lifecycleOptions = z.strictObject({
  concurrency: z
    .union([z.int(), z.string().regex(/^\d+$/).transform(Number)])
    .pipe(z.int().min(1).max(CONCURRENCY_MAX))
    .default(8)
    .describe('How many hosts may be getting a certificate at once'),
  soak: span('1h', minutes(0)).describe(
    'How long a new certificate waits before it is used, for visitors with slow clocks',
  ),
  lookEvery: span('1d', LOOK_EVERY_MIN).describe(
    'How often the DNS of a host is looked at with which nothing is wrong',
  ),
  idleAfter: span('180d', days(1)).describe(
    'After which time without visitors a host counts as idle',
  ),
  idlePolicy: z
    .enum(['last', 'lazy'])
    .default('last')
    .describe('Certificates of idle hosts: renewed after all others, or only when somebody visits'),
  forgetAfter: span('365d', days(1)).describe(
    'After which time a host is retired whose DNS leads elsewhere',
  ),
})

export type LifecycleOptions = z.output<typeof lifecycleOptions>
