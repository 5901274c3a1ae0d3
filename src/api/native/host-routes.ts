import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import { bounded, type Hostname } from '../../kernel/index.ts'
import { ApiError } from '../errors.ts'
import type { ApiPorts, HostView } from '../ports.ts'
import {
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
import { historyEntryToWire, hostToWire, pageToWire } from './to-wire.ts'

/** Certificates looked up at once for one page of hosts. */
const LOOKUPS_AT_ONCE = 16

interface HostRoutesDeps extends Pick<ApiPorts, 'hosts' | 'hostLife' | 'certificates'> {
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

function addRoute(app: ZodApp, { hosts, hostLife, certificates, edgeName }: HostRoutesDeps): void {
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
      await hostLife.add(hostname, domain)
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

async function requireLivingHost(hosts: ApiPorts['hosts'], typed: string): Promise<HostView> {
  const host = await requireHost(hosts, typed)
  if (host.state !== 'retired') return host
  throw new ApiError('hosts/retired', `${host.hostname} is retired.`, {
    fix: `Add it again: postern host add ${host.hostname}.`,
  })
}

async function hostNow(
  { hosts, certificates }: Pick<ApiPorts, 'hosts' | 'certificates'>,
  hostname: Hostname,
): Promise<WireHost> {
  return withCertificate(certificates, await requireHost(hosts, hostname))
}

async function withCertificate(
  certificates: ApiPorts['certificates'],
  host: HostView,
): Promise<WireHost> {
  return hostToWire(host, await certificates.current(host.hostname))
}

function edgeNameMissing(): ApiError {
  return new ApiError('config/edge-name-missing', 'The name of the edge is not configured.', {
    fix: "Set edge.name to the name that customers' CNAMEs shall point to, and restart.",
  })
}
