import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import type { ApiPorts } from '../ports.ts'
import { errorSchema, hitPageSchema, hitsQuery, linkBody, signedLinkSchema } from './contract.ts'
import { requireHost, requireHostname } from './names.ts'
import { hitToWire, pageToWire } from './to-wire.ts'

/** Links to put into mail, and the hits that they brought. */
export function trackingRoutes({
  hosts,
  links,
  hits,
}: Pick<ApiPorts, 'hosts' | 'links' | 'hits'>): FastifyPluginCallbackZod {
  return (app, _options, done) => {
    app.post(
      '/links',
      {
        schema: {
          operationId: 'signLink',
          summary: 'A signed link: https as soon as that is safe for its host',
          body: linkBody,
          response: { 200: signedLinkSchema, default: errorSchema },
        },
      },
      async ({ body }) => {
        const { hostname, httpsSafe } = await requireHost(hosts, body.host)
        const url = await links.sign({
          hostname,
          secure: httpsSafe,
          kind: body.kind,
          target: body.kind === 'click' ? body.target : undefined,
          reference: body.reference,
        })
        return { url }
      },
    )
    app.get(
      '/hits',
      {
        schema: {
          operationId: 'listHits',
          summary: 'Opens and clicks, newest first',
          querystring: hitsQuery,
          response: { 200: hitPageSchema, default: errorSchema },
        },
      },
      async ({ query: { host, limit, cursor } }) => {
        const hostname = host === undefined ? undefined : requireHostname(host)
        return pageToWire(await hits.page({ hostname, limit, cursor }), hitToWire)
      },
    )
    done()
  }
}
