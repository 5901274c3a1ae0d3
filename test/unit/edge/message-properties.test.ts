import { createServer, request } from 'node:http'
import { duplexPair } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createHeadWriter } from '../../../src/edge/forwarder/head-writer.ts'
import { createReply } from '../../../src/edge/forwarder/reply.ts'
import { createHeadReader, type PlainHead } from '../../../src/edge/gate/head-reader.ts'
import type { Answer } from '../../../src/edge/request/answer.ts'
import { openConnection } from '../../../src/edge/request/connection.ts'
import { routeOf } from '../../support/smuggling/readers/reading.ts'
import { readStrictly } from '../../support/smuggling/readers/strict-reader.ts'

const HOST = 'email.customer.test'
const PLAIN = `GET /c/k/p-_~?a=%20&b HTTP/1.1\r\nHost: ${HOST}\r\nUser-Agent: Mail (x)\r\nAccept: */*\r\nConnection: keep-alive\r\nCookie: a=b; c="d"\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n`

const odd = fc.oneof(
  fc.nat({ max: 255 }).map((code) => String.fromCharCode(code)),
  fc.constantFrom(
    ' ',
    '\t',
    '\r',
    '\n',
    '\r\n',
    ':',
    '_',
    '\0',
    'Content-Length: 3\r\n',
    'TE: x\r\n',
  ),
)
/** One to three bytes of a plain head are others, gone, or new. */
const accident = fc.record({ at: fc.nat({ max: PLAIN.length - 1 }), gone: fc.nat({ max: 1 }), odd })
const mutated = fc
  .array(accident, { minLength: 1, maxLength: 3 })
  .map((accidents) =>
    accidents.reduce(
      (text, one) => text.slice(0, one.at) + one.odd + text.slice(one.at + one.gone),
      PLAIN,
    ),
  )

describe('a head in which something has changed', () => {
  it('is read as node:http reads it, or not at all', async () => {
    await fc.assert(
      fc.asyncProperty(mutated, async (text) => {
        const next = `GET /next HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`
        const head = createHeadReader().read(text + next, 0)
        if (head.kind !== 'plain') return
        expect((await requestsIn((text + next).slice(0, head.bytes) + next)).map(String)).toEqual([
          `${head.method} ${head.hostname} ${head.target}`,
          `GET ${HOST} /next`,
        ])
      }),
      { numRuns: 600 },
    )
  })

  it('is read alike in whatever pieces it comes', () => {
    fc.assert(
      fc.property(mutated, fc.nat({ max: 400 }), (text, cut) => {
        const reader = createHeadReader()
        const early = reader.read(text.slice(0, cut), 0)
        if (early.kind !== 'incomplete') expect(reader.read(text, 0)).toEqual(early)
      }),
      { numRuns: 2000 },
    )
  })

  it('is written for a backend in the one way that can be read strictly', () => {
    const writer = createHeadWriter()
    fc.assert(
      fc.property(mutated, (text) => {
        const head = createHeadReader().read(text, 0)
        if (head.kind !== 'plain') return
        const written = writer.headFor(passageOf(head))
        const reading = readStrictly(written)
        expect(reading).toMatchObject({
          kind: 'request',
          request: { method: head.method, target: head.target, host: head.hostname, body: '' },
        })
        expect(reading.kind === 'request' && reading.request.bytes).toBe(written.length)
      }),
      { numRuns: 2000 },
    )
  })
})

function passageOf({ method, hostname, target, lines, userAgent }: PlainHead) {
  const arrival = { secure: true, servername: hostname, address: '192.0.2.1', port: 443 } as const
  const connection = openConnection({ ...arrival, protocol: 'http/1.1', seat: undefined })
  return { method, hostname, target, lines, userAgent, connection, requestId: 'a'.repeat(32) }
}

/** What bare node:http reads, as `METHOD host target`. */
async function requestsIn(text: string): Promise<readonly string[]> {
  const read: string[] = []
  const server = createServer(({ method, url = '', headers }, response) => {
    const route = routeOf(url, headers.host ?? '')
    read.push(`${method} ${route.host} ${route.target}`)
    response.end()
  })
  server.on('clientError', (_, socket) => socket.destroy())
  const [ours, theirs] = duplexPair()
  const closed = new Promise((resolve) => ours.on('close', resolve))
  ours.on('error', () => undefined)
  ours.resume()
  server.emit('connection', theirs)
  ours.end(text, 'latin1')
  await closed
  return read
}

const status = fc.constantFrom(
  '200 OK',
  '200',
  '302 Found',
  '204 No Content',
  '304 Not Modified',
  '404 ',
  '500 x',
)
const version = fc.constantFrom('HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0')
const field = fc.constantFrom(
  'Content-Length: 3',
  'Content-Length: 0',
  'Content-Length: 5',
  'Content-Length:3',
  'content-length:  3 ',
  'Content-Length: +3',
  'Content-Length: 03',
  'Content-Length: 3, 3',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: Chunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding : chunked',
  'X: y',
  'X:',
  'X: \xe4',
  'Connection: close',
  'Connection: keep-alive',
  'Set-Cookie: a=b',
)
const ending = fc.oneof(
  { weight: 12, arbitrary: fc.constant('\r\n') },
  { weight: 1, arbitrary: fc.constantFrom('\n', '\r', '\r\r\n', '\0\r\n') },
)
const body = fc.constantFrom(
  '',
  'abc',
  'abcde',
  '3\r\nabc\r\n0\r\n\r\n',
  '3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\n\r\n',
  '0\r\n\r\n',
  '3\r\nabc\r\n0\r\n',
  '3\nabc\n0\n\n',
  '03\r\nabc\r\n0\r\n\r\n',
  '-3\r\nabc\r\n0\r\n\r\n',
  '3 \r\nabc\r\n0\r\n\r\n',
  'abcHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
)
const answerBytes = fc
  .tuple(version, status, fc.array(fc.tuple(field, ending), { maxLength: 4 }), body)
  .map(
    ([spoken, code, fields, rest]) => `${spoken} ${code}\r\n${fields.flat().join('')}\r\n${rest}`,
  )

describe('the answer of a backend', () => {
  it('ends where node:http says that it ends, or is broken, in whatever pieces it comes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('GET', 'HEAD'),
        answerBytes,
        fc.nat({ max: 120 }),
        async (method, bytes, cut) => {
          const ours = readReply(method, [bytes.slice(0, cut), bytes.slice(cut)])
          expect(readReply(method, [bytes])).toEqual(ours)
          if (ours === undefined) return
          const theirs = await readByNode(method, bytes)
          // What follows an answer makes node:http give up on it, and us on its connection.
          if (theirs !== undefined || !ours.hasMore) expect(theirs).toEqual(ours.heard)
        },
      ),
      { numRuns: 1000 },
    )
  })
})

interface Heard {
  readonly status: number
  readonly body: string
}

/** `undefined`: broken, or not whole when the connection ends. */
function readReply(
  method: string,
  pieces: readonly string[],
): { readonly heard: Heard; readonly hasMore: boolean } | undefined {
  const heard = { status: 0, body: '', isWhole: false }
  const answer: Answer = {
    isOver: false,
    whenLeft: () => undefined,
    whenOver: () => undefined,
    send: (head, whole) => {
      heard.status = head.status
      heard.body += whole.toString('latin1')
      heard.isWhole = true
    },
    begin: (head) => {
      heard.status = head.status
    },
    write: (piece) => {
      heard.body += piece.toString('latin1')
      return true
    },
    whenDrained: () => undefined,
    end: () => {
      heard.isWhole = true
    },
    breakOff: () => undefined,
  }
  const reply = createReply(answer, method)
  let hasMore = false
  for (const [index, piece] of pieces.entries()) {
    if (piece === '') continue
    const state = reply.receive(Buffer.from(piece, 'latin1'))
    if (state === 'broken') return undefined
    hasMore = state === 'whole-and-more' || pieces.slice(index + 1).join('') !== ''
    if (heard.isWhole) break
  }
  if (!heard.isWhole && !(reply.hasBytes && reply.ended() === 'whole')) return undefined
  const { status: code, body: text } = heard
  return { heard: { status: code, body: text }, hasMore }
}

async function readByNode(method: string, bytes: string): Promise<Heard | undefined> {
  const [ours, theirs] = duplexPair()
  theirs.on('error', () => undefined)
  theirs.resume()
  const { promise, resolve } = Promise.withResolvers<Heard | undefined>()
  const asking = request({ method, createConnection: () => ours, headers: { host: HOST } })
  asking.on('error', () => resolve(undefined))
  asking.on('response', (response) => {
    let text = ''
    response.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
    })
    response.on('error', () => resolve(undefined))
    response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }))
  })
  asking.end()
  theirs.end(bytes, 'latin1')
  return await promise
}
