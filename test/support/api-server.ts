import { type ApiPorts, createApiServer } from '../../src/api/index.ts'
import { Redacted } from '../../src/kernel/index.ts'
import { createApiRecord, createMetrics, openLog } from '../../src/telemetry/index.ts'
import { anAccount, portsTo, type World } from './api-world.ts'
import { createFakeClock } from './fake-clock.ts'
import { createSeededRandom } from './seeded-random.ts'

export {
  aCertificate,
  aHost,
  aHostname,
  anAccount,
  anAuthority,
  anEvent,
  type World,
} from './api-world.ts'

export const ADMIN_KEY = 'postern_0123456789abcdef0123456789abcdef'

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
    accounts: new Map([['default', anAccount()]]),
    webhooks: new Map(),
    events: [],
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
