import {
  type ApiPorts,
  type CertificateView,
  createApiServer,
  type HistoryView,
  type HostView,
} from '../../src/api/index.ts'
import { type Hostname, parseHostname, Redacted } from '../../src/kernel/index.ts'
import { createApiRecord, createMetrics, openLog } from '../../src/telemetry/index.ts'
import { createFakeClock } from './fake-clock.ts'
import { createSeededRandom } from './seeded-random.ts'

export const ADMIN_KEY = 'postern_0123456789abcdef0123456789abcdef'
const PRIVATE_KEY_PEM = '-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n'

export function aHostname(text = 'email.customer.test'): Hostname {
  const parsed = parseHostname(text)
  if (!parsed) throw new Error(`${text} is not a hostname`)
  return parsed
}

export function aHost(overrides: Partial<HostView> = {}): HostView {
  return {
    hostname: aHostname(),
    domain: 'customer.test',
    state: 'active',
    reason: undefined,
    httpsSafe: true,
    checks: [{ name: 'cname', ok: true, seen: 'edge.test' }],
    nextAttemptAt: new Date('2026-12-22T12:00:00Z'),
    ...overrides,
  }
}

export function aCertificate(overrides: Partial<CertificateView> = {}): CertificateView {
  return {
    id: '019ab2c300000000000000000000cafe',
    hostname: aHostname(),
    serial: '0A1B2C',
    issuer: 'Test CA 1',
    notBefore: new Date('2026-11-22T11:00:00Z'),
    notAfter: new Date('2027-02-20T11:00:00Z'),
    renewAt: new Date('2027-01-21T11:00:00Z'),
    renewBecause: 'ca-suggested-it',
    chainPem: '-----BEGIN CERTIFICATE-----\nY2hhaW4=\n-----END CERTIFICATE-----\n',
    source: 'letsencrypt',
    isCurrent: true,
    createdAt: new Date('2026-11-22T12:00:00Z'),
    ...overrides,
  }
}

/** Everything behind the API, in memory: a test puts things in, and may replace single ports. */
export interface World {
  readonly hosts: Map<string, HostView>
  readonly certificates: Map<string, CertificateView>
  readonly history: Map<string, HistoryView[]>
  readonly deeds: string[]
  readonly logLines: string[]
}

export interface TestApi extends AsyncDisposable {
  readonly url: string
  readonly world: World
  readonly clock: ReturnType<typeof createFakeClock>
}

/** The real server on a free port of the loopback. */
export async function startTestApi(
  overrides: Partial<ApiPorts> & { readonly edgeName?: string | undefined } = {},
): Promise<TestApi> {
  const world: World = {
    hosts: new Map(),
    certificates: new Map(),
    history: new Map(),
    deeds: [],
    logLines: [],
  }
  const clock = createFakeClock()
  const metrics = createMetrics()
  const log = openLog(
    { level: 'debug', pretty: false },
    {},
    { write: (line) => void world.logLines.push(line) },
  )
  const server = await createApiServer(
    {
      ...portsTo(world),
      adminKey: new Redacted(ADMIN_KEY),
      edgeName: 'edge.test',
      clock,
      random: createSeededRandom(),
      record: createApiRecord({ log, metrics }),
      ...overrides,
    },
    { listen: { host: '127.0.0.1', port: 0 } },
  )
  const { url } = await server.listen()
  return { url, world, clock, [Symbol.asyncDispose]: () => server.close() }
}

function portsTo({ hosts, certificates, history, deeds }: World): ApiPorts {
  const current = (hostname: string) => certificates.get(hostname)
  return {
    hosts: {
      find: async (hostname) => hosts.get(hostname),
      page: async ({ state, q, limit, cursor }) => {
        const found = [...hosts.values()]
          .filter((host) => state === undefined || host.state === state)
          .filter((host) => q === undefined || host.hostname.includes(q))
          .filter((host) => cursor === undefined || host.hostname > cursor)
          .sort((one, other) => (one.hostname < other.hostname ? -1 : 1))
        const page = found.slice(0, limit)
        const nextCursor = found.length > limit ? page.at(-1)?.hostname : undefined
        return { hosts: page, nextCursor }
      },
      history: async (hostname) => history.get(hostname) ?? [],
    },
    hostLife: {
      add: async (hostname, domain) => {
        deeds.push(`add ${hostname} ${domain}`)
        if (!hosts.has(hostname)) {
          hosts.set(
            hostname,
            aHost({ hostname, domain, state: 'waiting-for-dns', httpsSafe: false }),
          )
        }
      },
      checkNow: async (hostname) => void deeds.push(`check ${hostname}`),
      renewNow: async (hostname) => void deeds.push(`renew ${hostname}`),
      retire: async (hostname) => {
        deeds.push(`retire ${hostname}`)
        certificates.delete(hostname)
        hosts.set(hostname, aHost({ hostname, state: 'retired', httpsSafe: false }))
      },
    },
    certificates: {
      current: async (hostname) => current(hostname),
      find: async (id) => [...certificates.values()].find((each) => each.id === id),
      page: async ({ expiringBefore, limit }) => ({
        items: [...certificates.values()]
          .filter(({ notAfter }) => expiringBefore === undefined || notAfter < expiringBefore)
          .slice(0, limit),
      }),
      exportKey: async () => new Redacted(PRIVATE_KEY_PEM),
    },
    acme: {
      describe: async () => ({
        authority: { name: 'letsencrypt', directoryUrl: 'https://ca.test/directory' },
        accounts: [],
        openOrders: [],
      }),
    },
    links: {
      sign: async ({ hostname, secure, kind, target }) =>
        `${secure ? 'https' : 'http'}://${hostname}/${kind}/${target ?? ''}`,
    },
    hits: { page: async () => ({ items: [] }) },
    keys: { status: async () => [{ keyId: 'k1', current: true, secrets: 3 }] },
    health: { live: () => true, readiness: async () => ({ ready: true, reasons: [] }) },
    metrics: async () => ({ contentType: 'text/plain; version=0.0.4', text: 'postern_up 1\n' }),
  }
}

export interface Call {
  readonly at: TestApi
  readonly key?: string | undefined
  readonly authorization?: string
  readonly body?: unknown
  readonly headers?: Record<string, string>
}

/** One request as a program would send it, and everything about its answer. */
export async function callApi(method: string, path: string, options: Call) {
  const { at, key = ADMIN_KEY, authorization = `Bearer ${key}`, body, headers } = options
  const response = await fetch(`${at.url}${path}`, {
    method,
    headers: {
      ...(authorization === '' ? {} : { authorization }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  // biome-ignore lint/suspicious/noExplicitAny: answers of every shape are looked into here
  const json = (): any => JSON.parse(text)
  return { status: response.status, headers: response.headers, text, json }
}
