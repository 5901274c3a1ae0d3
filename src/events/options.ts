import { z } from 'zod'
import { days, parseDuration } from '../kernel/index.ts'

/** What is pruned must have been delivered or given up before: that takes three days. */
const KEEP_MIN = days(7)

/** `events.*`: what accounts are told. */
export const eventsOptions = z.strictObject({
  keepFor: z
    .string()
    .default('400d')
    .transform((text, context) => {
      const span = parseDuration(text)
      if (span !== undefined && span >= KEEP_MIN) return span
      context.addIssue({ code: 'custom', message: 'not a span of a week (7d) or more, like 400d' })
      return z.NEVER
    })
    .describe('How long events are kept for their accounts to read'),
})

export type EventsOptions = z.output<typeof eventsOptions>
