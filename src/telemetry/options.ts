import { z } from 'zod'

/** `log.*`: what is written to standard error, and how. */
export const logOptions = z.strictObject({
  level: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('The least important level that is written'),
  pretty: z
    .stringbool()
    .or(z.boolean())
    .optional()
    .describe('Lines for people instead of JSON; by default on a terminal'),
})

export type LogOptions = z.infer<typeof logOptions>
