import { z } from 'zod'

/** `lifecycle.*`: how hosts are moved along. */
export const lifecycleOptions = z.strictObject({
  concurrency: z.coerce
    .number()
    .int()
    .min(1)
    .max(64)
    .default(8)
    .describe('Certificates being issued at the same time'),
})

export type LifecycleOptions = z.infer<typeof lifecycleOptions>
