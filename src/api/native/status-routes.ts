import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import type { ApiPorts } from '../ports.ts'
import { acmeStatusToWire } from './acme-to-wire.ts'
import { acmeStatusSchema, errorSchema, keyStatusSchema } from './contract.ts'

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
          summary:
            'Certificate authorities: accounts, budgets, orders under way, queue and forecast',
          response: { 200: acmeStatusSchema, default: errorSchema },
        },
      },
      async () => {
        const [status, queue, forecast] = await Promise.all([
          acme.describe(),
          acme.queue(),
          acme.forecast(),
        ])
        return acmeStatusToWire({ status, queue, forecast })
      },
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
