import { z } from 'zod'

/** `store.*`: where everything is kept. */
export const storeOptions = z.strictObject({
  url: z
    .string()
    .regex(/^(sqlite:.|postgres(ql)?:\/\/)/, 'must be sqlite:PATH or postgres://…')
    .default('sqlite:certs-store/data/postern.sqlite')
    .describe('The database: sqlite:PATH on one machine, postgres://… for several nodes')
    .meta({ secret: 'password' }),
})

export type StoreOptions = z.infer<typeof storeOptions>
