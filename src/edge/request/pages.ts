import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'

/** What a visitor reads who gets no answer from a backend: one line, no stack, no names of ours. */
export interface Page {
  readonly status: number
  readonly sentence: string
  readonly headers?: Readonly<Record<string, string>>
}

const HEADERS = {
  'content-type': 'text/plain; charset=utf-8',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
} as const

/** Sends a page and keeps the connection, unless it is told to close. */
export function sendPage(response: ServerResponse, { status, sentence, headers }: Page): void {
  const body = Buffer.from(`${sentence}\n`)
  response.writeHead(status, { ...HEADERS, 'content-length': body.length, ...headers })
  response.end(body)
}

/** Sends a key authorization: exactly its bytes, as RFC 8555 §8.3 wants it. */
export function sendProof(response: ServerResponse, proof: string): void {
  const headers = { ...HEADERS, 'content-type': 'application/octet-stream' }
  response.writeHead(200, { ...headers, 'content-length': Buffer.byteLength(proof) })
  response.end(proof)
}

/** Sends a page and closes: what follows on this connection is not trusted, or not wanted. */
export function sendLastPage(response: ServerResponse, page: Page): void {
  response.setHeader('connection', 'close')
  sendPage(response, page)
}

/** Writes a page on a socket that has no response object (parse errors, upgrades), and closes it. */
export function writeLastPage(socket: Duplex, { status, sentence }: Page): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const body = `${sentence}\n`
  const fields = { ...HEADERS, 'content-length': Buffer.byteLength(body), connection: 'close' }
  const head = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  const statusLine = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}\r\n`
  socket.end(`${statusLine}${head.join('')}\r\n${body}`, () => socket.destroy())
}
