import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import type { Clock, Random } from '../../kernel/index.ts'
import type { ServedCertificate } from '../ports.ts'
import { createInProcessClient, type Shaken } from './in-process-client.ts'
import { makeStandIn } from './stand-in-certificate.ts'
import type { TicketHandling } from './ticket-hook.ts'
import { createTicketRing } from './ticket-ring.ts'
import { createTicketedServer, type TicketedServer } from './ticketed-server.ts'

/**
 * What we rely on in Node and OpenSSL that no documentation promises, or that a release has changed
 * before. Tried in each process once it serves, by handshakes with servers made like its own.
 */
export type SelfTestCheck =
  /** That the others can be tried at all. */
  | 'set-up'
  /** Node lets us seal and open tickets ourselves. */
  | 'ticket-hook'
  /** The certificate that SNI chose is shown; versions and ciphers are the server's. */
  | 'sni-certificate'
  /** A name that gets no context gets no certificate. */
  | 'unknown-name'
  /** A session goes on, on another server with the same keys. */
  | 'resumption'
  /** A resumed TLS 1.3 connection is given a new ticket. */
  | 'renewed-tickets'
  | 'old-versions'
  | 'renegotiation'
  /** What was read of a connection can be given back, and read by `node:http`. */
  | 'hand-over'

/** Something that is not as we rely on. */
export interface SelfTestFinding {
  readonly check: SelfTestCheck
  /** Ends a sentence. */
  readonly why: string
  /** `unsafe`: visitors could come to harm. The others cost time, or links. */
  readonly weight: 'unsafe' | 'degraded'
}

export interface SelfTestReport {
  readonly findings: readonly SelfTestFinding[]
  readonly passed: readonly SelfTestCheck[]
  /** Of these nobody knows: the machine was too busy. They are to be tried again. */
  readonly late: readonly SelfTestCheck[]
  readonly ms: number
}

export interface SelfTestDeps {
  readonly clock: Clock
  readonly random: Random
}

/**
 * Tries `due`, in short turns, so that visitors are served in between. Never throws: no visitor must
 * lose his process over a test.
 */
export async function testSelf(
  deps: SelfTestDeps,
  wanted: TicketHandling,
  due: readonly SelfTestCheck[] = CHECKS.map(({ check }) => check),
): Promise<SelfTestReport> {
  const startedMs = deps.clock.monotonicMs()
  const findings: SelfTestFinding[] = []
  const passed: SelfTestCheck[] = []
  const late: SelfTestCheck[] = []
  const stage = await settled(() => setTheStage(deps, wanted))
  if (stage.kind === 'threw') {
    findings.push({ check: 'set-up', why: String(stage.error), weight: 'degraded' })
  } else {
    for (const { check, weight, run } of CHECKS.filter((one) => due.includes(one.check))) {
      const end = await settled(() => run(stage.value))
      if (end.kind === 'threw' && end.error instanceof TooSlow) late.push(check)
      else if (end.kind === 'threw') findings.push({ check, why: String(end.error), weight })
      else if (end.value === undefined) passed.push(check)
      else findings.push({ check, why: end.value, weight })
    }
  }
  return { findings, passed, late, ms: Math.round(deps.clock.monotonicMs() - startedMs) }
}

type Settled<Value> =
  | { readonly kind: 'gave'; readonly value: Value }
  | { readonly kind: 'threw'; readonly error: unknown }

/** Whatever is thrown is an answer. */
async function settled<Value>(work: () => Promise<Value> | Value): Promise<Settled<Value>> {
  try {
    return { kind: 'gave', value: await work() }
  } catch (error) {
    return { kind: 'threw', error }
  }
}

/** Says nothing of what was tried. Thrown, so that no check can take it for an answer. */
class TooSlow extends Error {}

/** Shakes hands, and throws `TooSlow` where that took too long. */
interface TestClient {
  shake<Result>(
    server: Pick<TicketedServer, 'accept'>,
    options: ConnectionOptions,
    talk: (socket: TLSSocket) => Promise<Result> | Result,
  ): Promise<Judged<Result>>
}

type Judged<Result> = Exclude<Shaken<Result>, { readonly kind: 'too-slow' }>

function createTestClient(clock: Clock): TestClient {
  const client = createInProcessClient({ clock })
  return {
    shake: async (server, options, talk) => {
      const shaken = await client.shake(server, options, talk)
      if (shaken.kind === 'too-slow') throw new TooSlow(shaken.code)
      return shaken
    },
  }
}

/** Two servers that share their keys, as two processes do; both know one name. */
interface Stage {
  readonly client: TestClient
  readonly served: ServedCertificate
  readonly here: TicketedServer
  readonly elsewhere: TicketedServer
}

const NAME = 'self-test.invalid'

function setTheStage({ clock, random }: SelfTestDeps, wanted: TicketHandling): Stage {
  const served = makeStandIn({ clock, random })
  const ring = createTicketRing({ clock })
  ring.replace([{ bytes: random.bytes(48), sealsFromMs: 0, opensUntilMs: Infinity }])
  const make = (): TicketedServer => {
    const deps = {
      ...{ ring, random },
      sniCallback: (name: string, done: (error: null, context?: typeof served.context) => void) =>
        done(null, name === NAME ? served.context : undefined),
    }
    const ticketed = createTicketedServer(deps, wanted)
    ticketed.server.on('tlsClientError', (_error, socket) => socket.destroy())
    ticketed.server.on('secureConnection', (socket) => socket.on('error', () => socket.destroy()))
    return ticketed
  }
  return { client: createTestClient(clock), served, here: make(), elsewhere: make() }
}
const CHECKS: readonly (Pick<SelfTestFinding, 'check' | 'weight'> & {
  /** Why it is not as it should be. */
  readonly run: (stage: Stage) => Promise<string | undefined>
})[] = [
  { check: 'sni-certificate', weight: 'degraded', run: testSniCertificate },
  { check: 'unknown-name', weight: 'unsafe', run: testUnknownName },
  { check: 'resumption', weight: 'degraded', run: testResumption },
  { check: 'renewed-tickets', weight: 'degraded', run: testRenewedTickets },
  { check: 'old-versions', weight: 'unsafe', run: testOldVersions },
  { check: 'renegotiation', weight: 'unsafe', run: testRenegotiation },
  { check: 'hand-over', weight: 'degraded', run: testHandOver },
]

async function testSniCertificate({ client, here, served }: Stage): Promise<string | undefined> {
  // Not the one suite that contexts are made with: if they brought their own, this would fail.
  const wishes = [
    { minVersion: 'TLSv1.3', ciphers: 'TLS_CHACHA20_POLY1305_SHA256' },
    { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' },
  ] as const
  for (const wish of wishes) {
    const shown = await client.shake(
      here,
      { servername: NAME, ...wish },
      (socket) => socket.getPeerX509Certificate()?.serialNumber,
    )
    if (shown.kind !== 'secure') return `a handshake with ${wish.ciphers} ended in ${shown.code}`
    if (shown.result !== served.serial) return 'another certificate than the chosen one was shown'
  }
  return undefined
}

async function testUnknownName({ client, here }: Stage): Promise<string | undefined> {
  const shaken = await client.shake(here, { servername: 'stranger.invalid' }, () => undefined)
  if (shaken.kind === 'secure') return 'a name without a certificate was served one'
  return shaken.code.includes('ALERT') ? undefined : `instead of an alert came: ${shaken.code}`
}

async function testResumption(stage: Stage): Promise<string | undefined> {
  for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
    const first = await visit(stage, stage.here, { maxVersion })
    if (first.kind !== 'secure') return `a handshake on ${maxVersion} ended in ${first.code}`
    const { session } = first.result
    const second = await visit(stage, stage.elsewhere, { maxVersion, ...(session && { session }) })
    if (second.kind !== 'secure') return `a resumption on ${maxVersion} ended in ${second.code}`
    if (!second.result.isResumed) return `a session on ${maxVersion} was not resumed`
  }
  return undefined
}

async function testRenewedTickets(stage: Stage): Promise<string | undefined> {
  const first = await visit(stage, stage.here, {})
  if (first.kind !== 'secure') return `a handshake ended in ${first.code}`
  let { session } = first.result
  for (let count = 0; count < 2; count += 1) {
    if (!session) return 'a connection was given no new ticket'
    const again = await visit(stage, stage.elsewhere, { session })
    if (again.kind !== 'secure') return `a resumption ended in ${again.code}`
    if (!again.result.isResumed) return 'a new ticket did not resume'
    session = again.result.session
  }
  return undefined
}

async function testOldVersions({ client, here }: Stage): Promise<string | undefined> {
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const
  const shaken = await client.shake(here, { servername: NAME, ...old }, (socket) =>
    socket.getProtocol(),
  )
  return shaken.kind === 'secure' ? `${shaken.result} was accepted` : undefined
}

async function testRenegotiation({ client, here }: Stage): Promise<string | undefined> {
  const asked = await client.shake(
    here,
    { servername: NAME, maxVersion: 'TLSv1.2' },
    (socket) =>
      new Promise<boolean>((resolve) => {
        // Refused ends in an error of the connection, which `shake` reports.
        socket.renegotiate({ rejectUnauthorized: false }, (error) => resolve(error === null))
      }),
  )
  return asked.kind === 'secure' && asked.result ? 'a client may renegotiate' : undefined
}

async function testHandOver({ client, here }: Stage): Promise<string | undefined> {
  const http = createHttpServer((request, response) => response.end(request.url))
  here.server.once('secureConnection', (socket) => {
    socket.once('data', (chunk: Buffer) => {
      socket.pause()
      socket.unshift(chunk)
      http.emit('connection', socket)
      socket.resume()
    })
  })
  const answered = await client.shake(here, { servername: NAME }, async (socket) => {
    socket.write('GET /handed')
    // The second half comes when the first was given back already.
    setImmediate(() => socket.write(`-over HTTP/1.1\r\nHost: ${NAME}\r\n\r\n`))
    return String(await firstOf(socket))
  })
  if (answered.kind !== 'secure') return `the connection ended in ${answered.code}`
  return answered.result.endsWith('/handed-over') ? undefined : 'the request was not read as sent'
}

/** A visit as clients make it: tickets of TLS 1.3 come with the first bytes of the answer. */
function visit(
  { client }: Stage,
  ticketed: TicketedServer,
  options: ConnectionOptions,
): Promise<Judged<{ readonly isResumed: boolean; readonly session: Buffer | undefined }>> {
  ticketed.server.once('secureConnection', (socket) => socket.write('.'))
  return client.shake(ticketed, { servername: NAME, ...options }, async (socket) => {
    let session: Buffer | undefined
    socket.on('session', (fresh: Buffer) => {
      session = fresh
    })
    await firstOf(socket)
    const isResumed = socket.isSessionReused()
    return { isResumed, session: session ?? sessionOnOldVersions(socket) }
  })
}

/** On TLS 1.2 a session is there as soon as the connection is. */
function sessionOnOldVersions(socket: TLSSocket): Buffer | undefined {
  return socket.getProtocol() === 'TLSv1.3' ? undefined : socket.getSession()
}

async function firstOf(socket: TLSSocket): Promise<Buffer> {
  const [chunk] = await once(socket, 'data')
  return chunk
}
