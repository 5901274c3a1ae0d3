import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import type { ApiPorts } from '../ports.ts'
import { acmeStatusSchema, errorSchema, keyStatusSchema } from './contract.ts'
import { acmeStatusToWire } from './to-wire.ts'

/** How we stand with certificate authorities and with our own keys. */
export function statusRoutes({
  acme,
  keys,
}: Pick<ApiPorts, 'acme' | 'keys'>): FastifyPluginCallbackZod {
  return (app, _options, done) => {
    app.get(
      '/acme',
      {
        schema: {
          operationId: 'showAcme',
          summary: 'Accounts at certificate authorities, and orders under way',
          response: { 200: acmeStatusSchema, default: errorSchema },
        },
      },
      async () => acmeStatusToWire(await acme.describe()),
    )
    app.get(
      '/keys',
      {
        schema: {
          operationId: 'showKeys',
          summary: 'Key-encryption keys, and how many secrets rest under each',
          response: { 200: keyStatusSchema, default: errorSchema },
        },
      },
      async () => ({ keys: [...(await keys.status())] }),
    )
    done()
  }
}
