import { Agent, type IncomingMessage, type RequestOptions, request } from 'node:http'
import type { ServerHttp2Stream } from 'node:http2'
import type { EdgeRecord } from '../../telemetry/index.ts'
import type { BackendAddress } from '../backend/backend-address.ts'
import { createErrands, type Errand, FirstByteTimeout, reasonOf } from '../fallback/errands.ts'
import type { Health } from '../forwarder/health.ts'
import {
  BACKEND_FIRST_BYTE_MS_MAX,
  BACKEND_FREE_SOCKETS_MAX,
  BACKEND_IDLE_MS_MAX,
  BACKEND_KEEP_ALIVE_MS,
  BODY_BYTES_MAX,
} from '../limits.ts'
import type { Answer } from '../request/answer.ts'
import { headersForBackend, linesForVisitor } from '../request/forwarded-headers.ts'
import { fieldsOf } from '../request/header-lines.ts'
import { lastPageOf, type Page, sendWhole } from '../request/pages.ts'
import type { Passage } from '../request/passage.ts'
import { mayLackLength, tooLarge } from '../request/request-rules.ts'

// http-proxy wants the request and response objects of node:http, and takes framing and errors from
// them; a stream of HTTP/2 has neither. node:http's own client frames the body anew: with the length
// that was announced, which is counted, or in chunks. Nothing is tried twice.

/** The body of a request, before it is read. */
export interface Http2Body {
  readonly stream: ServerHttp2Stream
  /** Bytes; `unknown` until the stream ends. */
  readonly length: number | 'unknown'
  readonly expectsContinue: boolean
}

/** Carries requests of HTTP/2 that have a body, or another method, to the operator's own servers. */
export interface BodyCarrier {
  /** MUST end every answer. */
  carry(passage: Passage, body: Http2Body, answer: Answer): void
}

export function createBodyCarrier(
  deps: {
    readonly health: Health
    readonly record: Pick<EdgeRecord, 'backendFailed' | 'backendResting'>
  },
  { socketsMax }: { readonly socketsMax: number },
): BodyCarrier {
  const errands = createErrands(deps)
  const agent = new Agent({
    keepAlive: true,
    scheduling: 'lifo',
    maxSockets: socketsMax,
    maxFreeSockets: BACKEND_FREE_SOCKETS_MAX,
    timeout: BACKEND_KEEP_ALIVE_MS,
  })
  return {
    carry: (passage, body, answer) => {
      const { stream, length, expectsContinue } = body
      if (!hasCertainEnd(passage.method, length)) {
        sendWhole(answer, lastPageOf(UNCERTAIN))
        return
      }
      const errand = errands.start(passage)
      if ('page' in errand) {
        sendWhole(answer, lastPageOf(errand.page))
        return
      }
      const outgoing = request({ agent, ...optionsFor(passage, body, errand.target) })
      outgoing.setTimeout(BACKEND_FIRST_BYTE_MS_MAX, () => {
        outgoing.destroy(new FirstByteTimeout('The backend sent nothing.'))
      })
      answer.whenLeft(() => outgoing.destroy())
      // Answered or gone before the whole body was sent: the backend must not wait for the rest.
      stream.once('close', () => {
        errand.end('abandoned')
        if (!outgoing.writableEnded) outgoing.destroy()
      })
      let hasBegun = false
      outgoing.on('error', (error) => {
        if (answer.isOver) return
        const page = errand.fail(hasBegun ? 'cut-short' : reasonOf(error))
        if (hasBegun) answer.breakOff()
        else sendWhole(answer, lastPageOf(page))
      })
      outgoing.on('response', (incoming) => {
        if (!hasUsableStatus(incoming)) {
          incoming.destroy()
          sendWhole(answer, lastPageOf(errand.fail('broken-answer')))
          return
        }
        hasBegun = true
        passOn(incoming, answer, errand)
      })
      if (length === 0) {
        outgoing.end()
        return
      }
      if (expectsContinue) stream.additionalHeaders({ ':status': 100 })
      sendBody(body, outgoing, () => {
        outgoing.destroy()
        if (hasBegun) answer.breakOff()
        else sendWhole(answer, lastPageOf(tooLarge()))
      })
    },
  }
}

const UNCERTAIN: Page = { status: 400, sentence: 'The end of the body is not certain.' }

/**
 * The rules have seen to it, and here it is what keeps one visitor's body from being another
 * request: node:http writes what it has no framing for as it is.
 */
function hasCertainEnd(method: string, length: Http2Body['length']): boolean {
  return length === 'unknown' ? mayLackLength(method) : Number.isSafeInteger(length) && length >= 0
}

function optionsFor(
  { method, hostname, target, lines, requestId, vouched, connection }: Passage,
  { length }: Http2Body,
  backend: BackendAddress,
): RequestOptions {
  const { address, secure, port } = connection.arrival
  const body = length === 'unknown' ? 'chunked' : 'sized'
  const own = { hostname, address, secure, port, requestId, vouched }
  const facts = { ...own, body, upgrade: 'none' } as const
  const headers = headersForBackend(fieldsOf(lines).flat(), facts)
  const where =
    backend.kind === 'tcp'
      ? { host: backend.host, port: backend.port }
      : { socketPath: backend.path }
  // Without a body, node:http knows which methods say so (RFC 9110 §8.6).
  if (typeof length === 'number' && length > 0) headers['content-length'] = String(length)
  return { method, path: target, headers, ...where }
}

/**
 * Sends what the visitor sends, never more than was announced, and the end only if the visitor has
 * come to it: a reset stream ends too, and must not look like a whole body.
 */
function sendBody(
  { stream, length }: Http2Body,
  outgoing: ReturnType<typeof request>,
  isTooMuch: () => void,
): void {
  const bytesMax = length === 'unknown' ? BODY_BYTES_MAX : length
  let bytes = 0
  stream.on('data', (piece: Buffer) => {
    if (outgoing.destroyed) return
    bytes += piece.length
    if (bytes > bytesMax) isTooMuch()
    else if (!outgoing.write(piece)) {
      stream.pause()
      outgoing.once('drain', () => stream.resume())
    }
  })
  stream.once('end', () => {
    const isWhole = length === 'unknown' || bytes === length
    if (isWhole && !stream.aborted && stream.rstCode === 0) outgoing.end()
    else outgoing.destroy()
  })
}

/** Less than 200 is not an answer. */
function hasUsableStatus({ statusCode = 0 }: IncomingMessage): boolean {
  return statusCode >= 200 && statusCode <= 599
}

function passOn(incoming: IncomingMessage, answer: Answer, errand: Errand): void {
  incoming.setTimeout(BACKEND_IDLE_MS_MAX, () => incoming.destroy())
  const length = incoming.headers['content-length']
  answer.begin({
    status: incoming.statusCode ?? 0,
    lines: linesForVisitor(incoming.rawHeaders),
    length: length === undefined ? 'unknown' : Number(length),
  })
  incoming.on('data', (piece: Buffer) => {
    if (answer.write(piece)) return
    incoming.pause()
    answer.whenDrained(() => incoming.resume())
  })
  // Told by `close` as well.
  incoming.on('error', () => undefined)
  incoming.once('close', () => {
    if (incoming.complete) errand.end('answered')
    if (answer.isOver) return
    if (incoming.complete) answer.end()
    else {
      errand.fail('cut-short')
      answer.breakOff()
    }
  })
}
