import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { createGateAnswer } from '../gate/gate-answer.ts'
import type { Answer } from '../request/answer.ts'
import type { Connection } from '../request/connection.ts'
import type { Exchange } from '../request/exchange.ts'
import { linesForBackend } from '../request/forwarded-headers.ts'
import { lastPageOf, type Page, sendWhole } from '../request/pages.ts'
import type { Asked } from '../request/passage.ts'
import { type AcceptedRequest, judgeRequest } from '../request/request-rules.ts'
import type { BodyCarrier } from './remote-carrier.ts'
import { createResponseAnswer } from './response-answer.ts'
import type { ServeTurn } from './turns.ts'

//  node:http's request ──► request-rules ──► exchange ─┬─► the common carrier
//                                                      ├─► http-proxy: bodies, other methods
//                                                      └─► tunnel: upgrades

export interface ServingDeps {
  readonly exchange: Exchange
  /** Where bodies and upgrades go; absent with a backend in this process, which reads neither. */
  readonly bodyCarrier?: BodyCarrier | undefined
  readonly httpDate: () => string
}

/** A request that wants to leave HTTP, and the connection on which it would. */
export interface UpgradeWish {
  readonly request: IncomingMessage
  readonly socket: Duplex
  readonly head: Buffer
}

/** What becomes of the requests that node:http has read. */
export interface Serving {
  readonly serve: ServeTurn
  /** Absent where no connection can be upgraded. */
  readonly upgrade?: (wish: UpgradeWish, connection: Connection) => void
}

const NOT_UPGRADED: Page = { status: 400, sentence: 'There is nothing to upgrade to here.' }

export function createServing({ exchange, bodyCarrier, httpDate }: ServingDeps): Serving {
  const accept = (
    request: IncomingMessage,
    answer: Answer,
    connection: Connection,
  ): AcceptedRequest | undefined => {
    const verdict = judge(request, connection)
    if (verdict.kind === 'accepted') return verdict
    exchange.refuse(answer, { rule: verdict.rule, page: verdict })
    return undefined
  }

  const serve: ServeTurn = ({ request, response }, connection) => {
    const answer = createResponseAnswer(response)
    // Before anything that waits: node:http must know that this connection ends, before it goes on
    // to read what comes after a head that cannot be trusted.
    const accepted = accept(request, answer, connection)
    if (!accepted) return
    const asked = askedOf(request, accepted, connection)
    // What comes in one piece with a wish to upgrade that is not granted is lost to node:http, and
    // what comes in the next one is not: nobody could tell where the next request begins.
    if (request.headers.upgrade !== undefined) response.setHeader('connection', 'close')
    if (!bodyCarrier) {
      // An unread body must not be taken for the next request.
      if (accepted.body !== 'none') response.setHeader('connection', 'close')
      exchange.serve(asked, answer)
    } else if (isPlain(asked, accepted)) {
      exchange.serve(asked, answer)
    } else {
      exchange.serve(asked, answer, (passage) =>
        bodyCarrier.carry(passage, { request, accepted }, response),
      )
    }
  }
  if (!bodyCarrier) return { serve }

  return {
    serve,
    upgrade: ({ request, socket, head }, connection) => {
      const answer = lastAnswerOn(socket, request.method ?? '', httpDate)
      const accepted = accept(request, answer, connection)
      if (!accepted) return
      exchange.serve(askedOf(request, accepted, connection), answer, (passage) => {
        if (mayTunnel(accepted)) {
          bodyCarrier.tunnel(passage, { request, accepted }, { socket, head, answer })
        } else sendWhole(answer, lastPageOf(NOT_UPGRADED))
      })
    },
  }
}

function judge(request: IncomingMessage, { arrival }: Connection) {
  return judgeRequest({
    method: request.method ?? '',
    target: request.url ?? '',
    version: request.httpVersion,
    fields: request.rawHeaders,
    secure: arrival.secure,
  })
}

function askedOf(
  request: IncomingMessage,
  { hostname, target }: AcceptedRequest,
  connection: Connection,
): Asked {
  return {
    method: request.method ?? '',
    hostname,
    target,
    lines: linesForBackend(request.rawHeaders),
    userAgent: request.headers['user-agent'] ?? '',
    connection,
  }
}

/** What every carrier can carry. */
function isPlain({ method }: Asked, { body }: AcceptedRequest): boolean {
  return body === 'none' && (method === 'GET' || method === 'HEAD')
}

/** A body before the upgrade would be left in the backend's socket, for the next request to meet. */
function mayTunnel({ upgrade, body }: AcceptedRequest): boolean {
  return upgrade === 'websocket' && body === 'none'
}

/** node:http has let go of this socket: what is still to be said on it is the last. */
function lastAnswerOn(socket: Duplex, method: string, date: () => string): Answer {
  const answer = createGateAnswer(
    {
      socket,
      isEnding: () => true,
      date,
      writeSoon: (answer) => answer.writeWhole(),
      done: ({ end }) => {
        if (end === 'broken') socket.destroy()
        else socket.end(() => socket.destroy())
      },
    },
    method,
  )
  socket.once('close', () => answer.leave())
  return answer
}
