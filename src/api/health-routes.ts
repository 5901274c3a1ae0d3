import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { readinessSchema } from './native/contract.ts'
import type { ApiPorts } from './ports.ts'

const livenessSchema = z.object({ alive: z.boolean() })

/**
 * For load balancers, orchestrators and Prometheus, without a key: `api.listen` is on the loopback
 * unless told otherwise, and nothing here names a host or a customer.
 */
export function healthRoutes({
  health,
  metrics,
}: Pick<ApiPorts, 'health' | 'metrics'>): FastifyPluginCallbackZod {
  return (app, _options, done) => {
    app.get(
      '/healthz',
      {
        schema: {
          summary: 'Alive',
          security: [],
          response: { 200: livenessSchema, 503: livenessSchema },
        },
      },
      async (_request, reply) => {
        const alive = health.live()
        return reply.code(alive ? 200 : 503).send({ alive })
      },
    )
    app.get(
      '/readyz',
      {
        schema: {
          summary: 'Serving, or why not',
          security: [],
          response: { 200: readinessSchema, 503: readinessSchema },
        },
      },
      async (_request, reply) => {
        const { ready, reasons } = await health.readiness()
        return reply.code(ready ? 200 : 503).send({ ready, reasons: [...reasons] })
      },
    )
    app.get('/metrics', { schema: { hide: true } }, async (request, reply) => {
      const isOpenMetrics = request.headers.accept?.includes('application/openmetrics-text')
      const { contentType, text } = await metrics(isOpenMetrics ? 'openmetrics' : 'prometheus')
      return reply.type(contentType).send(text)
    })
    done()
  }
}
