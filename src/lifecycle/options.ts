import { z } from 'zod'

const CONCURRENCY_MAX = 64

/** `lifecycle.*`: how hosts are moved along. */
export const lifecycleOptions = z.strictObject({
  concurrency: z
    .union([z.int(), z.string().regex(/^\d+$/).transform(Number)])
    .pipe(z.int().min(1).max(CONCURRENCY_MAX))
    .default(8)
    .describe('How many hosts may be getting a certificate at once'),
})

export type LifecycleOptions = z.output<typeof lifecycleOptions>
