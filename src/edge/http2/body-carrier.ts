import type { ClientRequest, RequestOptions } from 'node:http'
import type { ServerHttp2Stream } from 'node:http2'
import { askBackend, createAgent, whereIs } from '../backend/backend-client.ts'
import type { Errands } from '../backend/errands.ts'
import { BODY_BYTES_MAX } from '../limits.ts'
import type { Answer } from '../request/answer.ts'
import { headersForBackend } from '../request/forwarded-headers.ts'
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
export interface Http2BodyCarrier {
  /** MUST end every answer. */
  carry(passage: Passage, body: Http2Body, answer: Answer): void
  /** Gives up the connections to backends. */
  close(): void
}

export function createHttp2BodyCarrier(
  { errands }: { readonly errands: Errands },
  how: { readonly socketsMax: number },
): Http2BodyCarrier {
  const agent = createAgent(how)
  return {
    carry: (passage, body, answer) => {
      const { stream, length, expectsContinue } = body
      if (!hasCertainEnd(passage.method, length)) {
        sendWhole(answer, lastPageOf(UNCERTAIN))
        return
      }
      const source = length === 0 ? {} : { source: stream }
      const asking = askBackend({ errands, passage, answer, ...source }, (target) => ({
        agent,
        ...optionsFor(passage, body),
        ...whereIs(target),
      }))
      if (!asking) return
      const { outgoing, errand, giveUp } = asking
      // Answered or gone before the whole body was sent: the backend must not wait for the rest.
      stream.once('close', () => {
        errand.end('abandoned')
        if (!outgoing.writableEnded) outgoing.destroy()
      })
      if (length === 0) {
        outgoing.end()
        return
      }
      if (expectsContinue) stream.additionalHeaders({ ':status': 100 })
      sendBody(body, outgoing, () => {
        errand.end('abandoned')
        giveUp(tooLarge())
      })
    },
    close: () => agent.destroy(),
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
): RequestOptions {
  const { address, secure, port } = connection.arrival
  const body = length === 'unknown' ? 'chunked' : 'sized'
  const own = { hostname, address, secure, port, requestId, vouched }
  const facts = { ...own, body, upgrade: 'none' } as const
  const headers = headersForBackend(fieldsOf(lines).flat(), facts)
  // Without a body, node:http knows which methods say so (RFC 9110 §8.6).
  if (typeof length === 'number' && length > 0) headers['content-length'] = String(length)
  return { method, path: target, headers }
}

/**
 * Sends what the visitor sends, never more than was announced, and the end only if the visitor has
 * come to it: a reset stream ends too, and must not look like a whole body.
 */
function sendBody(
  { stream, length }: Http2Body,
  outgoing: ClientRequest,
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
