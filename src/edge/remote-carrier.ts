import { Agent, type ClientRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { createProxyServer, type ProxyTarget } from 'http-proxy'
import type { Clock } from '../kernel/index.ts'
import type { EdgeRecord } from '../telemetry/index.ts'
import { type BackendAddress, formatBackendAddress } from './backend-address.ts'
import { createBackendChoice } from './backend-choice.ts'
import type { Carrier, Passage } from './exchange.ts'
import { headersForBackend, headersForVisitor } from './forwarded-headers.ts'
import {
  BACKEND_CONNECT_MS_MAX,
  BACKEND_FIRST_BYTE_MS_MAX,
  BACKEND_FREE_SOCKETS_MAX,
  BACKEND_IDLE_MS_MAX,
  BACKEND_KEEP_ALIVE_MS,
  BACKEND_SOCKETS_MAX,
  BODY_BYTES_MAX,
  TUNNEL_IDLE_MS_MAX,
} from './limits.ts'
import { type Page, sendLastPage, writeLastPage } from './pages.ts'
import { tooLarge } from './request-rules.ts'

// The grammar is node:http's and http-proxy's; ours are the heads in both directions, the deadlines
// and the honest page when it fails. http-proxy's own header passes are not used. Nothing is tried
// twice: once a request has been piped, nobody knows how much of it arrived.

/** Why a backend gave no answer. Stable: a label of the metrics. */
type FailureReason =
  | 'unreachable'
  | 'connect-timeout'
  | 'first-byte-timeout'
  | 'broken-answer'
  | 'cut-short'

/** A request under way and the backend it went to. */
interface Errand {
  readonly passage: Passage
  readonly target: BackendAddress
}

/** Marks a request that we ended ourselves because nothing came back in time. */
class FirstByteTimeout extends Error {
  override readonly name = 'FirstByteTimeout'
}

/** Carries requests to the operator's own servers, in turn, over kept connections. */
export function createRemoteCarrier(
  { record, clock }: { readonly record: Pick<EdgeRecord, 'backendFailed'>; readonly clock: Clock },
  targets: readonly BackendAddress[],
): Carrier {
  const choice = createBackendChoice(targets)
  const agent = new Agent({
    keepAlive: true,
    scheduling: 'lifo',
    maxSockets: BACKEND_SOCKETS_MAX,
    maxFreeSockets: BACKEND_FREE_SOCKETS_MAX,
    timeout: BACKEND_KEEP_ALIVE_MS,
  })
  const proxy = createProxyServer({
    agent,
    // The target goes on byte for byte: http-proxy would resolve dots, re-encode, drop a last `?`.
    toProxy: true,
    prependPath: false,
    selfHandleResponse: true,
    connectTimeout: BACKEND_CONNECT_MS_MAX,
  })
  const errands = new WeakMap<IncomingMessage, Errand>()
  const send = (passage: Passage): Errand => {
    const errand = { passage, target: choice.next(clock.monotonicMs()) }
    errands.set(passage.request, errand)
    prepare(passage)
    return errand
  }
  const fail = ({ passage, target }: Errand, reason: FailureReason): Page => {
    if (reason === 'unreachable' || reason === 'connect-timeout') {
      choice.unreachable(target, clock.monotonicMs())
    }
    const page = PAGES[reason]
    record.backendFailed({
      hostname: passage.accepted.hostname,
      backend: formatBackendAddress(target),
      status: page.status,
      reason,
      requestId: passage.requestId,
    })
    return page
  }
  proxy.on('proxyReq', (outgoing, request) => {
    outgoing.path = request.url ?? '/'
    endIfSilent(outgoing)
  })
  proxy.on('proxyReqWs', (outgoing) => endIfSilent(outgoing))
  proxy.on('proxyRes', (answer, request, response) => {
    const errand = errands.get(request)
    if (!errand || response.headersSent || response.destroyed) {
      answer.destroy()
      return
    }
    if (!hasUsableStatus(answer)) {
      answer.destroy()
      sendLastPage(response, fail(errand, 'broken-answer'))
      return
    }
    passOn(answer, response, () => fail(errand, 'cut-short'))
  })

  return {
    carry: (passage, response) => {
      const wantsContinue = passage.request.headers.expect !== undefined
      const errand = send(passage)
      if (wantsContinue) response.writeContinue()
      if (passage.accepted.body === 'chunked') endIfTooLarge(passage.request, response)
      const options = { target: toProxyTarget(errand.target) }
      proxy.web(passage.request, response, options, (error) => {
        // The visitor has left, or has been answered already.
        if (response.destroyed || response.writableEnded) return
        const page = fail(errand, reasonOf(error))
        if (response.headersSent) response.destroy()
        else sendLastPage(response, page)
      })
    },
    tunnel: (passage, socket, head) => {
      const errand = send(passage)
      const options = { target: toProxyTarget(errand.target) }
      proxy.ws(passage.request, socket, head, options, (error) => {
        if (socket.writable) writeLastPage(socket, fail(errand, reasonOf(error)))
      })
      endIfIdle(socket)
    },
  }
}

const BROKEN: Page = { status: 502, sentence: 'The server behind this one gave no usable answer.' }
const LATE: Page = { status: 504, sentence: 'The server behind this one did not answer in time.' }

const PAGES: Readonly<Record<FailureReason, Page>> = {
  unreachable: { status: 502, sentence: 'The server behind this one could not be reached.' },
  'connect-timeout': LATE,
  'first-byte-timeout': LATE,
  'broken-answer': BROKEN,
  'cut-short': BROKEN,
}

/** http-proxy takes target and header fields from the request itself. */
function prepare({ request, accepted, connection, requestId }: Passage): void {
  const { address, secure, port } = connection.arrival
  const { hostname, body, upgrade } = accepted
  request.url = accepted.target
  request.headers = headersForBackend(request.rawHeaders, {
    hostname,
    address,
    secure,
    port,
    requestId,
    body,
    upgrade,
  })
}

function endIfSilent(outgoing: ClientRequest): void {
  outgoing.setTimeout(BACKEND_FIRST_BYTE_MS_MAX, () => {
    outgoing.destroy(new FirstByteTimeout('The backend sent nothing.'))
  })
}

function endIfIdle(socket: Duplex & { setTimeout?: (ms: number, then: () => void) => void }): void {
  socket.setTimeout?.(TUNNEL_IDLE_MS_MAX, () => socket.destroy())
}

/** Its length was not announced, so it is counted. */
function endIfTooLarge(request: IncomingMessage, response: ServerResponse): void {
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes <= BODY_BYTES_MAX || response.writableEnded) return
    if (response.headersSent) response.destroy()
    else sendLastPage(response, tooLarge())
  })
}

/** Less than 200 is not an answer, and what is no status at all would make node:http throw. */
function hasUsableStatus({ statusCode = 0 }: IncomingMessage): boolean {
  return statusCode >= 200 && statusCode <= 599
}

function passOn(answer: IncomingMessage, response: ServerResponse, cutShort: () => void): void {
  answer.setTimeout(BACKEND_IDLE_MS_MAX, () => answer.destroy())
  answer.once('close', () => {
    if (answer.complete || response.destroyed) return
    cutShort()
    // Without its proper end, the visitor can tell that this is not the whole answer.
    response.destroy()
  })
  response.writeHead(answer.statusCode ?? 0, headersForVisitor(answer.rawHeaders))
  answer.pipe(response)
}

function reasonOf(error: NodeJS.ErrnoException): FailureReason {
  if (error instanceof FirstByteTimeout) return 'first-byte-timeout'
  switch (error.code ?? '') {
    case 'ECONNECT_TIMEOUT':
    case 'ETIMEDOUT':
      return 'connect-timeout'
    case 'ECONNREFUSED':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ENOENT':
    case 'ENOTFOUND':
    case 'EACCES':
      return 'unreachable'
    default:
      return 'broken-answer'
  }
}

function toProxyTarget(address: BackendAddress): ProxyTarget {
  if (address.kind === 'tcp') return { host: address.host, port: address.port }
  return { socketPath: address.path, host: 'localhost', port: 80 }
}
