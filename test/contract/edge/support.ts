import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { createSecureContext, connect as tlsConnect } from 'node:tls'
import {
  type Backend,
  type BackendTarget,
  createEdge,
  type Edge,
  type EdgeRequest,
  type Resources,
  readResources,
} from '../../../src/edge/index.ts'
import {
  type Clock,
  type Hostname,
  parseWireHostname,
  systemClock,
  systemRandom,
} from '../../../src/kernel/index.ts'
import { createEdgeRecord, createMetrics, openLog } from '../../../src/telemetry/index.ts'
import { createTestCa, type IssuedCertificate } from '../../support/certificates.ts'

/** One CA for a file of tests: making one takes a moment. */
export const ca = createTestCa()

export const OURS = 'email.customer.test'
export const OTHER = 'email.other.test'
export const PENDING = 'email.pending.test'

export function host(text: string): Hostname {
  const hostname = parseWireHostname(text)
  if (!hostname) throw new TypeError(`${text} is not a hostname`)
  return hostname
}

/** An edge with two hosts that have certificates and one that has none, listening on both schemes. */
export interface EdgeUnderTest extends AsyncDisposable {
  readonly edge: Edge
  readonly httpPort: number
  readonly httpsPort: number
  readonly certificates: Map<string, IssuedCertificate>
  readonly tokens: Map<string, string>
  /** Hosts whose certificate was revoked. */
  readonly revoked: Set<string>
  /** What reached the embedded backend. */
  readonly seen: EdgeRequest[]
  readonly logLines: string[]
  /** What was said to `watch`. */
  readonly shortages: string[]
  /** How often the ports that may do I/O were asked. */
  readonly asked: { certificates: number; membership: number; challenges: number }
  metric(name: string): Promise<string>
}

export async function openEdge({
  backend,
  name,
  visitorFactsKey,
  httpPolicy = 'serve',
  accessLog = 0,
  accessLogDetails = [],
  answer,
  clock = systemClock,
  resources = {},
  sharedAddresses = '127.0.0.1',
}: {
  readonly backend?: BackendTarget
  /** The edge name; it needs to be one of the hosts. */
  readonly name?: string
  readonly visitorFactsKey?: string
  readonly httpPolicy?: 'serve' | 'redirect'
  readonly accessLog?: number
  readonly accessLogDetails?: ('targets' | 'addresses' | 'agents')[]
  readonly answer?: Backend['handle']
  readonly clock?: Clock
  /** What this edge finds instead of what the machine has. */
  readonly resources?: Partial<Resources>
  readonly sharedAddresses?: string
} = {}): Promise<EdgeUnderTest> {
  const certificates = new Map([OURS, OTHER].map((name) => [name, ca.issue(name)]))
  const hosts = new Set([OURS, OTHER, PENDING])
  const revoked = new Set<string>()
  const tokens = new Map<string, string>()
  const seen: EdgeRequest[] = []
  const logLines: string[] = []
  const shortages: string[] = []
  const asked = { certificates: 0, membership: 0, challenges: 0 }
  const metrics = createMetrics()
  const log = openLog(
    { level: 'debug', pretty: false },
    {},
    { write: (line) => logLines.push(line) },
  )
  const embedded: Backend = {
    handle: async (request) => {
      seen.push(request)
      const body = Buffer.from(`${request.method} ${request.hostname}${request.target}`)
      return answer?.(request) ?? { status: 200, headers: [['content-type', 'text/plain']], body }
    },
  }
  const edge = createEdge(
    {
      certificates: {
        contextFor: async (hostname) => {
          asked.certificates += 1
          const issued = certificates.get(hostname)
          if (!issued) return undefined
          const context = createSecureContext({ key: issued.keyPem, cert: issued.chainPem })
          const { serial, notAfter } = issued
          return { context, serial, notAfter, isRevoked: revoked.has(hostname) }
        },
      },
      membership: {
        has: (hostname) => hosts.has(hostname),
        isOurs: async (hostname) => {
          asked.membership += 1
          return hosts.has(hostname)
        },
      },
      challenges: {
        answer: async (hostname, token) => {
          asked.challenges += 1
          return tokens.get(`${hostname}/${token}`)
        },
      },
      backend: backend ?? { kind: 'embedded', backend: embedded },
      record: createEdgeRecord({ log, metrics }),
      clock,
      random: systemRandom,
      watch: {
        began: (of) => shortages.push(`${of} began`),
        ended: (of) => shortages.push(`${of} ended`),
        relieve: () => shortages.push('relieve'),
      },
      resources: { ...readResources({ processes: 1 }), ...resources },
    },
    {
      ...{ httpPolicy, sharedAddresses, accessLog, accessLogDetails },
      ...(name === undefined ? {} : { name: host(name) }),
      ...(visitorFactsKey === undefined ? {} : { visitorFactsKey }),
    },
  )
  const local = [{ host: '0.0.0.0', port: 0 }]
  const bound = await edge.listen({ http: local, https: local }, { reusePort: true })
  return {
    edge,
    httpPort: bound.http[0]?.port ?? 0,
    httpsPort: bound.https[0]?.port ?? 0,
    certificates,
    revoked,
    tokens,
    seen,
    logLines,
    shortages,
    asked,
    metric: async (name) => {
      const values = (await metrics.snapshot()).find((one) => 'name' in one && one.name === name)
      return JSON.stringify(values)
    },
    [Symbol.asyncDispose]: () => edge.drain(0),
  }
}

/** Sends bytes as they are and reads until the other side is done, or has answered `answers` times. */
export async function sendRaw(
  port: number,
  bytes: string | Buffer,
  { answers = 1 }: { readonly answers?: number } = {},
): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  return await talk(socket, bytes, answers)
}

/** The same over TLS; the name to ask for is `servername`. */
export async function sendRawTls(
  port: number,
  servername: string,
  bytes: string | Buffer,
  { answers = 1 }: { readonly answers?: number } = {},
): Promise<string> {
  const socket = tlsConnect({ port, host: '127.0.0.1', servername, rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  return await talk(socket, bytes, answers)
}

async function talk(socket: Socket, bytes: string | Buffer, answers: number): Promise<string> {
  let text = ''
  const done = Promise.withResolvers<void>()
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
    if (text.split('HTTP/1.1 ').length > answers && hasWholeAnswer(text)) done.resolve()
  })
  socket.on('error', () => done.resolve())
  socket.on('close', () => done.resolve())
  socket.on('end', () => done.resolve())
  if (typeof bytes === 'string') socket.write(bytes, 'latin1')
  else socket.write(bytes)
  await done.promise
  socket.destroy()
  return text
}

function hasWholeAnswer(text: string): boolean {
  const last = text.slice(text.lastIndexOf('HTTP/1.1 '))
  const end = last.indexOf('\r\n\r\n')
  if (end < 0) return false
  const length = /content-length: (\d+)/i.exec(last)?.[1]
  return length !== undefined && last.length - end - 4 >= Number(length)
}

export function statusOf(answer: string): number {
  return Number(/^HTTP\/(?:1\.1|2) (\d{3})/.exec(answer)?.[1] ?? 0)
}

/** A backend that notes every byte it gets and answers as it is told. */
export interface RecordingBackend extends AsyncDisposable {
  readonly target: BackendTarget
  readonly port: number
  /** All bytes of all connections, in order of arrival. */
  text(): string
  readonly connections: () => number
}

export async function openBackend(
  onData: (socket: Socket, received: string) => void,
): Promise<RecordingBackend> {
  let text = ''
  let count = 0
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    count += 1
    sockets.add(socket)
    let received = ''
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      received += chunk.toString('latin1')
      onData(socket, received)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  return {
    target: { kind: 'remote', targets: [{ kind: 'tcp', host: '127.0.0.1', port }] },
    port,
    text: () => text,
    connections: () => count,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

export const OK_ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
