import type { Agent, IncomingMessage, ServerResponse } from 'node:http'
import { createProxyServer, type ProxyServer, type ProxyTarget } from 'http-proxy'
import type { BackendAddress } from '../backend/backend-address.ts'
import {
  createAgent,
  hasUsableStatus,
  watchReading,
  watchSending,
  whenConnected,
} from '../backend/backend-client.ts'
import { type Errand, type Errands, reasonOf } from '../backend/errands.ts'
import { BODY_BYTES_MAX } from '../limits.ts'
import {
  type HeaderFields,
  headersForBackend,
  headersForVisitor,
} from '../request/forwarded-headers.ts'
import { type Page, sendLastPage } from '../request/pages.ts'
import type { Passage } from '../request/passage.ts'
import { type AcceptedRequest, tooLarge } from '../request/request-rules.ts'
import { openTunnel, type TunnelWish } from './tunnel.ts'

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
  tunnel(passage: Passage, read: RequestWithBody, wish: TunnelWish): void
  /** Gives up the connections to backends. */
  close(): void
}

/** Carries requests to the operator's own servers, over kept connections. */
export function createRemoteCarrier(
  { errands }: { readonly errands: Errands },
  how: { readonly socketsMax: number },
): BodyCarrier {
  const underWay = new WeakMap<IncomingMessage, Carrying>()
  const agent = createAgent(how)
  const proxy = createProxy(agent)
  proxy.on('proxyReq', (outgoing, request, response) => {
    const carrying = underWay.get(request)
    if (!carrying || carrying.errand.isOver) {
      outgoing.destroy()
      return
    }
    outgoing.path = request.url ?? '/'
    carrying.giveUp = () => outgoing.destroy()
    const { socket } = outgoing
    if (!socket) throw new TypeError('http-proxy tells of requests before they have a connection.')
    whenConnected(socket, () => {
      watchSending(carrying.errand, request, () => response.headersSent)
    })
  })
  proxy.on('proxyRes', (answer, request, response) => {
    const errand = underWay.get(request)?.errand
    if (!errand || errand.isOver || response.headersSent || response.destroyed) {
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
      const errand = errands.start(passage, (page) => {
        endWith(response, page)
        carrying.giveUp?.()
      })
      if ('page' in errand) {
        sendLastPage(response, errand.page)
        return
      }
      const carrying: Carrying = { errand }
      underWay.set(request, carrying)
      response.once('close', () => errand.end('abandoned'))
      if (request.headers.expect !== undefined) response.writeContinue()
      if (accepted.body === 'chunked') endIfTooLarge(request, response)
      // http-proxy takes target and header fields from the request itself.
      request.url = passage.target
      request.headers = headersFor(passage, read)
      proxy.web(request, response, { target: toProxyTarget(errand.target) }, (error) => {
        // The visitor has left, or has been answered already.
        if (response.destroyed || response.writableEnded) return
        endWith(response, errand.fail(reasonOf(error)))
      })
    },
    tunnel: (passage, read, wish) => {
      openTunnel({ errands, passage, headers: headersFor(passage, read) }, wish)
    },
    close: () => agent.destroy(),
  }
}

interface Carrying {
  readonly errand: Errand
  giveUp?: () => void
}

function createProxy(agent: Agent): ProxyServer {
  return createProxyServer({
    agent,
    // Else it resolves dots and encodes anew. A lone `?` at the end is lost even so: see `path`.
    toProxy: true,
    prependPath: false,
    selfHandleResponse: true,
  })
}

function headersFor(
  { hostname, connection, requestId, vouched }: Passage,
  { request, accepted: { body, upgrade } }: RequestWithBody,
): HeaderFields {
  const { address, secure, port } = connection.arrival
  const facts = { hostname, address, secure, port, requestId, vouched, body, upgrade }
  return headersForBackend(request.rawHeaders, facts)
}

/** Without its proper end, the visitor can tell that an answer that has begun is not whole. */
function endWith(response: ServerResponse, page: Page | undefined): void {
  if (page && !response.headersSent) sendLastPage(response, page)
  else response.destroy()
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

function passOn(answer: IncomingMessage, response: ServerResponse, errand: Errand): void {
  answer.once('end', () => errand.end('answered'))
  answer.once('close', () => {
    if (answer.complete || response.destroyed) return
    errand.fail('cut-short')
    response.destroy()
  })
  response.writeHead(answer.statusCode ?? 0, headersForVisitor(answer.rawHeaders))
  answer.pipe(response)
  watchReading(errand, answer)
}

function toProxyTarget(address: BackendAddress): ProxyTarget {
  if (address.kind === 'tcp') return { host: address.host, port: address.port }
  return { socketPath: address.path, host: 'localhost', port: 80 }
}
