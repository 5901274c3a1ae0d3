import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import type { ApiPorts } from '../ports.ts'
import { acmeStatusToWire } from './acme-to-wire.ts'
import { acmeStatusSchema, errorSchema } from './contract.ts'

/** How we stand with certificate authorities. */
export function statusRoutes({ acme }: Pick<ApiPorts, 'acme'>): FastifyPluginCallbackZod {
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
    done()
  }
}
