import type { IncomingMessage, ServerResponse } from 'node:http'
import { Agent, createServer, request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import type { Pebble } from '../../src/cli/demo/pebble.ts'
import { createSelfSigned } from '../../src/cli/demo/self-signed.ts'
import { type Clock, systemClock } from '../../src/kernel/index.ts'
import { type CaRules, createCaRules } from './fault-front/ca-rules.ts'
import type { Question } from './fault-front/ca-state.ts'
import { readJws } from './fault-front/jws.ts'
import { createRogues, type Rogue } from './fault-front/rogues.ts'

/** What a request to a CA is for. */
export type RequestKind =
  | 'directory'
  | 'nonce'
  | 'account'
  | 'order-new'
  | 'order'
  | 'orders-list'
  | 'authorization'
  | 'challenge'
  | 'finalize'
  | 'certificate'
  | 'renewal-info'
  | 'revoke'
  | 'other'

export type Fault =
  /** The nonce is refused, and with the answer comes a good one. Pebble sees nothing. */
  | { readonly kind: 'bad-nonce' }
  /** A problem document instead of what Pebble would say. */
  | {
      readonly kind: 'problem'
      readonly status: number
      /** Without its prefix. */
      readonly type: string
      readonly detail?: string
      readonly retryAfter?: string
      readonly subproblems?: readonly object[]
    }
  /** What a load balancer says. */
  | { readonly kind: 'html'; readonly status: number; readonly retryAfter?: string }
  | { readonly kind: 'drop-before' }
  /** Pebble did it, and nobody hears of it. */
  | { readonly kind: 'drop-after' }
  | { readonly kind: 'delay'; readonly ms: number }
  /** Half of the body, and the connection is gone. */
  | { readonly kind: 'cut' }
  /** Another body than Pebble's. */
  | { readonly kind: 'replace'; readonly body: (original: string) => string | Buffer }
  /** An answer of our own; Pebble sees nothing. */
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly location: string
      readonly body: string
    }
  /** A header more, or another. */
  | { readonly kind: 'header'; readonly name: string; readonly value: string }
  /** Told of it, before or after Pebble: for killing somebody right then. */
  | {
      readonly kind: 'notify'
      readonly when: 'before' | 'after'
      readonly tell: () => Promise<void> | void
    }

export interface FaultRule {
  readonly on: RequestKind
  /** How often; once by default. */
  readonly times?: number
  /** How many such requests pass first. */
  readonly skip?: number
  readonly fault: Fault
}

/** A reverse proxy before Pebble that rewrites nothing and does harm by rule. */
export interface FaultFront extends AsyncDisposable {
  readonly directoryUrl: string
  readonly rootPem: string
  /** The first rule that fits a request is used, and spent. */
  inject(...rules: readonly FaultRule[]): void
  /** Forgets rules and counts. */
  reset(): void
  count(...kinds: readonly RequestKind[]): number
  /** Every request since the last reset, in order. */
  readonly requests: readonly RequestKind[]
  /** What the signed requests of a kind said since the last reset; nothing for a POST-as-GET. */
  payloads(kind: RequestKind): readonly unknown[]
  /** Limits, pauses and what else a real CA does in good health; off until told otherwise. */
  readonly ca: CaRules
  /** The next certificates are not what was asked for: one each. */
  sendRogues(...rogues: readonly Rogue[]): void
}

export async function startFaultFront(
  pebble: Pick<Pebble, 'directoryUrl' | 'httpsRootPem'>,
  { clock = systemClock }: { readonly clock?: Pick<Clock, 'now'> } = {},
): Promise<FaultFront> {
  const { certificatePem, privateKeyPem } = createSelfSigned(systemClock)
  const behind = new URL(pebble.directoryUrl)
  const agent = new Agent({ keepAlive: true, ca: pebble.httpsRootPem })
  let rules: { rule: FaultRule; skip: number; left: number }[] = []
  let requests: RequestKind[] = []
  let payloads: { readonly kind: RequestKind; readonly payload: unknown }[] = []

  const faultFor = (kind: RequestKind): Fault | undefined => {
    for (const one of rules) {
      if (one.rule.on !== kind || one.left === 0) continue
      if (one.skip > 0) {
        one.skip -= 1
        continue
      }
      one.left -= 1
      return one.rule.fault
    }
    return undefined
  }
  const toPebble: ToPebble = (asked, body) => forward(asked, body, { behind, agent })
  const nowMs = (): number => clock.now().getTime()
  const ca = createCaRules(nowMs, createWindows(toPebble, behind, nowMs))
  const rogues = createRogues(nowMs)
  /** Pebble, overheard by the rules. */
  const overheard =
    (question: Question): ToPebble =>
    async (asked, body) => {
      const reply = await toPebble(asked, body)
      if (asked.url !== question.path) return reply
      const { status, headers } = reply
      const said = { status, location: headers.location, body: reply.body.toString() }
      ca.observe(question, said)
      return { ...reply, body: rogues.replace(question, said) ?? reply.body }
    }
  const exchange = async (asked: IncomingMessage, answer: ServerResponse): Promise<void> => {
    const kind = kindOf(asked.url ?? '')
    requests.push(kind)
    try {
      const body = await buffer(asked)
      const { account, payload } = readJws(body) ?? {}
      payloads.push({ kind, payload })
      const question = { kind, path: asked.url ?? '', account, payload }
      const fault = faultFor(kind) ?? (await ca.judge(question))
      await serve({ asked, answer, body }, fault, overheard(question))
    } catch {
      asked.socket.destroy()
    }
  }
  const server = createServer(
    { cert: certificatePem, key: privateKeyPem },
    (asked, answer) => void exchange(asked, answer),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo

  return {
    directoryUrl: `https://127.0.0.1:${port}${behind.pathname}`,
    rootPem: certificatePem,
    inject: (...more) => {
      for (const rule of more) rules.push({ rule, skip: rule.skip ?? 0, left: rule.times ?? 1 })
    },
    reset: () => {
      rules = []
      requests = []
      payloads = []
      ca.reset()
      rogues.reset()
    },
    ca,
    sendRogues: (...more) => rogues.send(more),
    count: (...kinds) => requests.filter((kind) => kinds.includes(kind)).length,
    get requests() {
      return requests
    },
    payloads: (kind) =>
      payloads.filter((one) => one.kind === kind && one.payload).map(({ payload }) => payload),
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        agent.destroy()
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

interface Reply {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

type ToPebble = (asked: Asked, body: Buffer) => Promise<Reply>
type Asked = Pick<IncomingMessage, 'method' | 'url' | 'headers'>

interface Exchange {
  readonly asked: IncomingMessage
  readonly answer: ServerResponse
  readonly body: Buffer
}

async function serve(
  { asked, answer, body }: Exchange,
  fault: Fault | undefined,
  toPebble: ToPebble,
): Promise<void> {
  const send = ({ status, headers, body: text }: Reply): void => {
    const own = Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name))
    answer.writeHead(status, Object.fromEntries(own)).end(text)
  }
  const says = async (status: number, type: string, retryAfter?: string): Promise<void> => {
    const { headers } = await toPebble(
      { headers: asked.headers, method: 'HEAD', url: '/nonce-plz' },
      NOTHING,
    )
    answer.setHeader('Replay-Nonce', headers['replay-nonce'] ?? '')
    answer.setHeader('Content-Type', type)
    if (retryAfter !== undefined) answer.setHeader('Retry-After', retryAfter)
    answer.statusCode = status
  }
  switch (fault?.kind) {
    case undefined:
      return send(await toPebble(asked, body))
    case 'delay':
      await delay(fault.ms)
      return send(await toPebble(asked, body))
    case 'notify': {
      if (fault.when === 'before') await fault.tell()
      const reply = await toPebble(asked, body)
      if (fault.when === 'after') await fault.tell()
      return send(reply)
    }
    case 'drop-before':
      asked.socket.destroy()
      return
    case 'drop-after':
      await toPebble(asked, body)
      asked.socket.destroy()
      return
    case 'cut': {
      const { status, headers, body: whole } = await toPebble(asked, body)
      answer.writeHead(status, { ...headers, 'content-length': whole.length })
      answer.write(whole.subarray(0, whole.length / 2), () => asked.socket.destroy())
      return
    }
    case 'replace': {
      const reply = await toPebble(asked, body)
      return send({ ...reply, body: Buffer.from(fault.body(reply.body.toString())) })
    }
    case 'header': {
      const reply = await toPebble(asked, body)
      return send({ ...reply, headers: { ...reply.headers, [fault.name]: fault.value } })
    }
    case 'answer':
      await says(fault.status, 'application/json')
      answer.setHeader('Location', fault.location)
      answer.end(fault.body)
      return
    case 'html':
      await says(fault.status, 'text/html', fault.retryAfter)
      answer.end('<html><body>Service unavailable</body></html>')
      return
    case 'bad-nonce':
      await says(400, 'application/problem+json')
      answer.end(JSON.stringify({ type: `${PREFIX}badNonce`, detail: 'bad nonce' }))
      return
    case 'problem': {
      const { status, type, detail = `${type} for a test`, subproblems } = fault
      await says(status, 'application/problem+json', fault.retryAfter)
      answer.end(JSON.stringify({ type: PREFIX + type, detail, status, subproblems }))
    }
  }
}

/** Tells whether Pebble suggests to renew a certificate now (RFC 9773; from 2.6.0 on). */
function createWindows(toPebble: ToPebble, { pathname, host }: URL, nowMs: () => number) {
  const read = async (url: string): Promise<unknown> => {
    const asked = { method: 'GET', url, headers: { host, 'user-agent': 'Postern' } }
    const { status, body } = await toPebble(asked, NOTHING)
    return status === 200 ? JSON.parse(body.toString()) : undefined
  }
  return async (certificateId: string): Promise<boolean> => {
    const { renewalInfo } = (await read(pathname)) as { readonly renewalInfo?: string }
    if (renewalInfo === undefined) return false
    const answer = await read(
      `${new URL(renewalInfo).pathname.replace(/\/$/, '')}/${certificateId}`,
    )
    const { suggestedWindow } = (answer ?? {}) as {
      readonly suggestedWindow?: { readonly start: string; readonly end: string }
    }
    if (!suggestedWindow) return false
    const { start, end } = suggestedWindow
    return Date.parse(start) <= nowMs() && nowMs() < Date.parse(end)
  }
}

const PREFIX = 'urn:ietf:params:acme:error:'
const NOTHING = Buffer.alloc(0)
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length'])

/** With the Host that we were asked by: Pebble derives from it the URLs that it gives out. */
async function forward(
  { method, url, headers }: Asked,
  body: Buffer,
  { behind, agent }: { readonly behind: URL; readonly agent: Agent },
): Promise<Reply> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const own = Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name))
  const asking = request({
    ...{ host: behind.hostname, port: behind.port, method, path: url, agent },
    headers: {
      ...Object.fromEntries(own),
      ...(method === 'POST' ? { 'content-length': body.length } : {}),
    },
  })
  asking.once('error', reject)
  asking.once('response', resolve)
  asking.end(body)
  const response = await promise
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: await buffer(response),
  }
}

const KIND_BY_PATH: readonly (readonly [RegExp, RequestKind])[] = [
  [/^\/dir\b/, 'directory'],
  [/^\/nonce-plz\b/, 'nonce'],
  [/^\/sign-me-up\b|^\/my-account\b/, 'account'],
  [/^\/order-plz\b/, 'order-new'],
  [/^\/my-order\//, 'order'],
  [/^\/list-orderz\//, 'orders-list'],
  [/^\/authZ\//, 'authorization'],
  [/^\/chalZ\//, 'challenge'],
  [/^\/finalize-order\//, 'finalize'],
  [/^\/certZ\//, 'certificate'],
  [/renewalInfo\//, 'renewal-info'],
  [/^\/revoke-cert\b/, 'revoke'],
]

function kindOf(path: string): RequestKind {
  return KIND_BY_PATH.find(([pattern]) => pattern.test(path))?.[1] ?? 'other'
}
