import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import { bounded } from '../../kernel/index.ts'
import { ApiError } from '../errors.ts'
import type { ApiPorts } from '../ports.ts'
import {
  ACCOUNT_DEFAULT,
  addHostBody,
  errorSchema,
  historyPageSchema,
  historyQuery,
  hostPageSchema,
  hostParams,
  hostSchema,
  hostsQuery,
  noBody,
  type WireHost,
} from './contract.ts'
import { pageOfHistory } from './history-page.ts'
import { defaultDomain, requireHost, requireHostname } from './names.ts'
import { hostNow, requireLivingHost, withCertificate } from './shown-host.ts'
import { historyEntryToWire, pageToWire } from './to-wire.ts'

/** Certificates looked up at once for one page of hosts. */
const LOOKUPS_AT_ONCE = 16

interface HostRoutesDeps
  extends Pick<ApiPorts, 'hosts' | 'hostLife' | 'certificates' | 'accounts'> {
  /** What customers' CNAMEs point to; without it nobody could be told what to do. */
  readonly edgeName: string | undefined
}

/** Hosts: add, look, check, renew, retire. */
export function hostRoutes(deps: HostRoutesDeps): FastifyPluginCallbackZod {
  return (app, _options, done) => {
    addRoute(app, deps)
    readRoutes(app, deps)
    deedRoutes(app, deps)
    done()
  }
}

type ZodApp = Parameters<FastifyPluginCallbackZod>[0]

function addRoute(app: ZodApp, deps: HostRoutesDeps): void {
  const { hosts, hostLife, certificates, accounts, edgeName } = deps
  app.post(
    '/hosts',
    {
      schema: {
        operationId: 'addHost',
        summary: 'Adds a tracking host; again for the same host changes nothing',
        body: addHostBody,
        response: { 202: hostSchema, default: errorSchema },
      },
    },
    async ({ body }, reply) => {
      const hostname = requireHostname(body.host)
      const domain = body.domain ? requireHostname(body.domain) : defaultDomain(hostname)
      if (edgeName === undefined) throw edgeNameMissing()
      if (body.account !== ACCOUNT_DEFAULT) await accounts.ensure(body.account)
      await hostLife.add(hostname, domain, body.account)
      return reply.code(202).send(await hostNow({ hosts, certificates }, hostname))
    },
  )
}

function readRoutes(app: ZodApp, { hosts, certificates }: HostRoutesDeps): void {
  app.get(
    '/hosts',
    {
      schema: {
        operationId: 'listHosts',
        summary: 'Hosts by name, page by page',
        querystring: hostsQuery,
        response: { 200: hostPageSchema, default: errorSchema },
      },
    },
    async ({ query }) => {
      const page = await hosts.page(query)
      const wire = new Map<string, WireHost>()
      await bounded(page.hosts, LOOKUPS_AT_ONCE, async (host) => {
        wire.set(host.hostname, await withCertificate(certificates, host))
      })
      const items = page.hosts.flatMap((host) => wire.get(host.hostname) ?? [])
      return { items, nextCursor: page.nextCursor ?? null }
    },
  )
  app.get(
    '/hosts/:host',
    {
      schema: {
        operationId: 'showHost',
        summary: 'One host: state, reason, certificate, what was checked',
        params: hostParams,
        response: { 200: hostSchema, default: errorSchema },
      },
    },
    async ({ params }) => withCertificate(certificates, await requireHost(hosts, params.host)),
  )
  app.get(
    '/hosts/:host/history',
    {
      schema: {
        operationId: 'showHostHistory',
        summary: 'Every step of a host with time and reason, oldest first',
        params: hostParams,
        querystring: historyQuery,
        response: { 200: historyPageSchema, default: errorSchema },
      },
    },
    async ({ params, query }) => {
      const { hostname } = await requireHost(hosts, params.host)
      return pageToWire(pageOfHistory(await hosts.history(hostname), query), historyEntryToWire)
    },
  )
}

function deedRoutes(app: ZodApp, { hosts, hostLife, certificates }: HostRoutesDeps): void {
  const schema = {
    params: hostParams,
    body: noBody,
    response: { 200: hostSchema, default: errorSchema },
  }
  app.post(
    '/hosts/:host/check',
    { schema: { ...schema, operationId: 'checkHost', summary: 'Looks at DNS and port 80 now' } },
    async ({ params }) => {
      const { hostname } = await requireLivingHost(hosts, params.host)
      await hostLife.checkNow(hostname)
      return hostNow({ hosts, certificates }, hostname)
    },
  )
  app.post(
    '/hosts/:host/renew',
    { schema: { ...schema, operationId: 'renewHost', summary: 'Replaces the certificate now' } },
    async ({ params }) => {
      const { hostname } = await requireLivingHost(hosts, params.host)
      await hostLife.renewNow(hostname)
      return hostNow({ hosts, certificates }, hostname)
    },
  )
  app.delete(
    '/hosts/:host',
    {
      schema: {
        ...schema,
        operationId: 'retireHost',
        summary: 'Retires a host and destroys its keys; again for the same host changes nothing',
      },
    },
    async ({ params }) => {
      const { hostname } = await requireHost(hosts, params.host)
      // Also if it is retired already: an earlier try may have ended before its keys did.
      await hostLife.retire(hostname)
      return hostNow({ hosts, certificates }, hostname)
    },
  )
}

function edgeNameMissing(): ApiError {
  return new ApiError('config/edge-name-missing', 'The name of the edge is not configured.', {
    fix: "Set edge.name to the name that customers' CNAMEs shall point to, and restart.",
  })
}
