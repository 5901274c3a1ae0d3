import { Agent, type ClientRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { createProxyServer, type ProxyServer, type ProxyTarget } from 'http-proxy'
import type { EdgeRecord } from '../../telemetry/index.ts'
import type { BackendAddress } from '../backend/backend-address.ts'
import type { Health } from '../forwarder/health.ts'
import {
  BACKEND_CONNECT_MS_MAX,
  BACKEND_FIRST_BYTE_MS_MAX,
  BACKEND_FREE_SOCKETS_MAX,
  BACKEND_IDLE_MS_MAX,
  BACKEND_KEEP_ALIVE_MS,
  BODY_BYTES_MAX,
  TUNNEL_IDLE_MS_MAX,
} from '../limits.ts'
import { headersForBackend, headersForVisitor } from '../request/forwarded-headers.ts'
import { sendLastPage, writeLastPage } from '../request/pages.ts'
import type { Passage } from '../request/passage.ts'
import { type AcceptedRequest, tooLarge } from '../request/request-rules.ts'
import { createErrands, type Errand, FirstByteTimeout, reasonOf } from './errands.ts'

// The grammar is node:http's and http-proxy's; ours are the heads in both directions, the deadlines
// and the honest page when it fails. http-proxy's own header passes are not used. Nothing is tried
// twice: once a request has been piped, nobody knows how much of it arrived.

/** A request as node:http has it, and what the rules found in it. */
export interface RequestWithBody {
  readonly request: IncomingMessage
  readonly accepted: AcceptedRequest
}

/** Carries what only node:http can read: requests with bodies, and those that leave HTTP. */
export interface BodyCarrier {
  /** MUST end every response. */
  carry(passage: Passage, read: RequestWithBody, response: ServerResponse): void
  /** For a request to change to WebSocket. */
  tunnel(passage: Passage, read: RequestWithBody, socket: Duplex, head: Buffer): void
}

/** Carries requests to the operator's own servers, over kept connections. */
export function createRemoteCarrier(
  deps: {
    readonly health: Health
    readonly record: Pick<EdgeRecord, 'backendFailed' | 'backendResting'>
  },
  how: { readonly socketsMax: number },
): BodyCarrier {
  const errands = createErrands(deps)
  const underWay = new WeakMap<IncomingMessage, Errand>()
  const proxy = createProxy(how)
  proxy.on('proxyReq', (outgoing, request) => readyToGo(outgoing, request))
  proxy.on('proxyReqWs', (outgoing, request) => readyToGo(outgoing, request))
  proxy.on('proxyRes', (answer, request, response) => {
    const errand = underWay.get(request)
    if (!errand || response.headersSent || response.destroyed) {
      answer.destroy()
    } else if (hasUsableStatus(answer)) {
      passOn(answer, response, errand)
    } else {
      answer.destroy()
      sendLastPage(response, errand.fail('broken-answer'))
    }
  })

  return {
    carry: (passage, read, response) => {
      const { request, accepted } = read
      const errand = errands.start(passage)
      if ('page' in errand) {
        sendLastPage(response, errand.page)
        return
      }
      underWay.set(request, errand)
      response.once('close', () => errand.end('abandoned'))
      if (request.headers.expect !== undefined) response.writeContinue()
      if (accepted.body === 'chunked') endIfTooLarge(request, response)
      prepare(passage, read)
      proxy.web(request, response, { target: toProxyTarget(errand.target) }, (error) => {
        // The visitor has left, or has been answered already.
        if (response.destroyed || response.writableEnded) return
        const page = errand.fail(reasonOf(error))
        if (response.headersSent) response.destroy()
        else sendLastPage(response, page)
      })
    },
    tunnel: (passage, read, socket, head) => {
      const errand = errands.start(passage)
      if ('page' in errand) {
        writeLastPage(socket, errand.page)
        return
      }
      socket.once('close', () => errand.end('abandoned'))
      prepare(passage, read)
      const options = { target: toProxyTarget(errand.target) }
      proxy.ws(read.request, socket, head, options, (error) => {
        if (socket.writable) writeLastPage(socket, errand.fail(reasonOf(error)))
      })
      endIfIdle(socket)
    },
  }
}

function createProxy({ socketsMax }: { readonly socketsMax: number }): ProxyServer {
  const agent = new Agent({
    keepAlive: true,
    scheduling: 'lifo',
    maxSockets: socketsMax,
    maxFreeSockets: BACKEND_FREE_SOCKETS_MAX,
    timeout: BACKEND_KEEP_ALIVE_MS,
  })
  return createProxyServer({
    agent,
    // Else it resolves dots and encodes anew. A lone `?` at the end is lost even so: see `path`.
    toProxy: true,
    prependPath: false,
    selfHandleResponse: true,
    connectTimeout: BACKEND_CONNECT_MS_MAX,
  })
}

/** http-proxy takes target and header fields from the request itself. */
function prepare(
  { hostname, target, connection, requestId, vouched }: Passage,
  { request, accepted: { body, upgrade } }: RequestWithBody,
): void {
  const { address, secure, port } = connection.arrival
  request.url = target
  request.headers = headersForBackend(request.rawHeaders, {
    hostname,
    address,
    secure,
    port,
    requestId,
    vouched,
    body,
    upgrade,
  })
}

function readyToGo(outgoing: ClientRequest, { url = '/' }: IncomingMessage): void {
  outgoing.path = url
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

function passOn(answer: IncomingMessage, response: ServerResponse, errand: Errand): void {
  answer.setTimeout(BACKEND_IDLE_MS_MAX, () => answer.destroy())
  answer.once('end', () => errand.end('answered'))
  answer.once('close', () => {
    if (answer.complete || response.destroyed) return
    errand.fail('cut-short')
    // Without its proper end, the visitor can tell that this is not the whole answer.
    response.destroy()
  })
  response.writeHead(answer.statusCode ?? 0, headersForVisitor(answer.rawHeaders))
  answer.pipe(response)
}

function toProxyTarget(address: BackendAddress): ProxyTarget {
  if (address.kind === 'tcp') return { host: address.host, port: address.port }
  return { socketPath: address.path, host: 'localhost', port: 80 }
}
