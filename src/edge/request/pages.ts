import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Answer, AnswerHead } from './answer.ts'
import { type HeaderLines, toHeaderLines } from './header-lines.ts'

/** What a visitor reads who gets no answer from a backend: one line, no stack, no names of ours. */
export interface Page {
  readonly status: number
  readonly sentence: string
  readonly headers?: Readonly<Record<string, string>>
}

/** An answer that is there from its first byte to its last. */
export interface WholeAnswer {
  readonly head: AnswerHead
  readonly body: Buffer
}

const PRIVATE = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const
const HEADERS = { 'content-type': 'text/plain; charset=utf-8', ...PRIVATE } as const

/** Writes a page out. The values of its own headers MUST have been checked. */
export function pageOf({ status, sentence, headers }: Page): WholeAnswer {
  const body = Buffer.from(`${sentence}\n`)
  return { head: { status, lines: linesOf({ ...HEADERS, ...headers }), length: body.length }, body }
}

/** The same, and what follows on this connection is not trusted, or not wanted. */
export function lastPageOf(page: Page): WholeAnswer {
  const { head, body } = pageOf(page)
  return { head: { ...head, isLast: true }, body }
}

/** Writes a key authorization out: exactly its bytes, as RFC 8555 §8.3 wants it. */
export function proofOf(proof: string): WholeAnswer {
  const body = Buffer.from(proof)
  const lines = linesOf({ 'content-type': 'application/octet-stream', ...PRIVATE })
  return { head: { status: 200, lines, length: body.length }, body }
}

/** Sends what is there as a whole. */
export function sendWhole(answer: Answer, { head, body }: WholeAnswer): void {
  answer.send(head, body)
}

/** Sends a page in answer to a request whose body only node:http can read, and closes. */
export function sendLastPage(response: ServerResponse, { status, sentence }: Page): void {
  const body = Buffer.from(`${sentence}\n`)
  const headers = { ...HEADERS, 'content-length': body.length, connection: 'close' }
  response.writeHead(status, headers)
  response.end(body)
}

/** Writes a page on a socket of which no request could be read, and closes it. */
export function writeLastPage(socket: Duplex, page: Page): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const { head, body } = pageOf(page)
  const statusLine = `HTTP/1.1 ${head.status} ${STATUS_CODES[head.status] ?? 'Error'}\r\n`
  const framing = `content-length: ${body.length}\r\nconnection: close\r\n`
  socket.end(`${statusLine}${head.lines}${framing}\r\n${body}`, () => socket.destroy())
}

function linesOf(headers: Readonly<Record<string, string>>): HeaderLines {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return toHeaderLines(lines.join(''))
}
