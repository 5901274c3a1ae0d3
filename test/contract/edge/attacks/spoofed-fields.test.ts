import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  END_HEADERS,
  END_STREAM,
  FRAME,
  frame,
  hpack,
  openRawHttp2,
  PREFACE,
} from '../../../support/http2-frames.ts'
import { openStrictRecorder, type Recorder } from '../../../support/smuggling/readers/recorder.ts'
import { type EdgeUnderTest, OURS, openEdge, sendRaw, sendRawTls, statusOf } from '../support.ts'

/** Fields by which backends learn who asks and for what, and what a visitor would like them to say. */
const CLAIMS: readonly (readonly [name: string, value: string])[] = [
  ['X-Forwarded-For', '6.6.6.6'],
  ['X-Forwarded-Host', 'spoofed.test'],
  ['X-Forwarded-Proto', 'spoofed'],
  ['X-Forwarded-Port', '6666'],
  ['X-Forwarded-Server', 'spoofed'],
  ['X-Forwarded', 'for=6.6.6.6'],
  ['Forwarded', 'for=6.6.6.6;host=spoofed.test'],
  ['Forwarded-For', '6.6.6.6'],
  ['X-Real-IP', '6.6.6.6'],
  ['X-Client-IP', '6.6.6.6'],
  ['Client-IP', '6.6.6.6'],
  ['True-Client-IP', '6.6.6.6'],
  ['CF-Connecting-IP', '6.6.6.6'],
  ['Fastly-Client-IP', '6.6.6.6'],
  ['X-Originating-IP', '6.6.6.6'],
  ['X-Remote-IP', '6.6.6.6'],
  ['X-Remote-Addr', '6.6.6.6'],
  ['X-Original-Forwarded-For', '6.6.6.6'],
  ['X-ProxyUser-IP', '6.6.6.6'],
  ['X-Azure-ClientIP', '6.6.6.6'],
  ['X-HTTP-Method-Override', 'spoofed'],
  ['X-HTTP-Method', 'spoofed'],
  ['X-Method-Override', 'spoofed'],
  ['X-Original-Method', 'spoofed'],
  ['Front-End-Https', 'spoofed'],
  ['X-Scheme', 'spoofed'],
  ['X-Cluster-Client-IP', '6.6.6.6'],
  ['Via', '1.1 spoofed'],
  ['X-Original-URL', '/spoofed'],
  ['X-Rewrite-URL', '/spoofed'],
  ['X-Original-Host', 'spoofed.test'],
  ['X-HTTP-Host-Override', 'spoofed.test'],
  ['X-Host', 'spoofed.test'],
  ['X-Request-Id', 'spoofed'],
  ['Proxy', 'http://spoofed.test'],
  ['TE', 'spoofed'],
  ['Keep-Alive', 'spoofed'],
  ['Proxy-Authorization', 'spoofed'],
]

const SPELLINGS: readonly ((name: string, value: string) => string)[] = [
  (name, value) => `${name}: ${value}`,
  (name, value) => `${name.toLowerCase()}:${value}`,
  (name, value) => `${name.toUpperCase()}:\t${value} `,
  (name, value) => `${name.replaceAll('-', '_')}_: ${value}`,
  (name, value) => `${name} : ${value}`,
  (name, value) => `X: y\r\n ${name}: ${value}`,
  (name, value) => `${name}: ${value}\r\n${name}: ${value}`,
  (name, value) => `Connection: ${name}\r\n${name}: ${value}`,
]

let backend: Recorder
let under: EdgeUnderTest

beforeEach(async () => {
  backend = await openStrictRecorder()
  under = await openEdge({ backend: backend.target })
})
afterEach(async () => {
  await under[Symbol.asyncDispose]()
  await backend[Symbol.asyncDispose]()
})

const OURS_BY_CHANCE = new Set(['x-request-id', 'x-forwarded-port'])

/** The recorder reads strictly: exactly one of each, and nothing that only the edge may say. */
function expectOnlyTruth(): void {
  expect(backend.violations).toEqual([])
  for (const { from, host, fields } of backend.seen) {
    expect([from, host]).toEqual(['127.0.0.1', OURS])
    // Ours, and made of chance and of what is free.
    const said = [...(fields ?? [])].filter(([name]) => !OURS_BY_CHANCE.has(name))
    expect(JSON.stringify(said)).not.toMatch(/6\.6\.6\.6|6666|spoofed/)
    expect(fields?.get('x-request-id')).not.toEqual(['spoofed'])
    const ports = [under.httpPort, under.httpsPort].map((port) => [String(port)])
    expect(ports).toContainEqual(fields?.get('x-forwarded-port'))
  }
}

describe('what a visitor claims about itself', () => {
  it.each(CLAIMS)('does not reach the backend as %s, in any spelling', async (name, value) => {
    for (const spell of SPELLINGS) {
      const lines = `Host: ${OURS}\r\n${spell(name, value)}\r\n`
      const get = `GET / HTTP/1.1\r\n${lines}\r\n`
      const post = `POST / HTTP/1.1\r\n${lines}Content-Length: 3\r\n\r\nabc`
      for (const bytes of [get, post]) {
        expect([200, 400, 417]).toContain(statusOf(await sendRaw(under.httpPort, bytes)))
      }
    }
    expect(backend.seen.length).toBeGreaterThan(4)
    expectOnlyTruth()
  })

  it('does not reach it over TLS or HTTP/2 either', async () => {
    for (const [name, value] of CLAIMS) {
      const get = `GET / HTTP/1.1\r\nHost: ${OURS}\r\n${name}: ${value}\r\n\r\n`
      expect(statusOf(await sendRawTls(under.httpsPort, OURS, get))).toBe(200)
    }
    const before = backend.seen.length
    await using raw = await openRawHttp2(under.httpsPort, OURS)
    const ids = CLAIMS.map((_, index) => 2 * index + 1)
    raw.send(
      PREFACE,
      ...CLAIMS.map(([name, value], index) =>
        frame(
          FRAME.headers,
          END_HEADERS | END_STREAM,
          ids[index] ?? 0,
          hpack([
            [':method', 'GET'],
            [':scheme', 'https'],
            [':authority', OURS],
            [':path', '/'],
            [name.toLowerCase(), value],
          ]),
        ),
      ),
    )
    for (const id of ids) {
      await raw.until(
        ({ stream, type, flags }) =>
          stream === id && (type === FRAME.reset || (flags & END_STREAM) !== 0),
      )
    }
    expect(backend.seen.length).toBeGreaterThan(before)
    expectOnlyTruth()
  })

  it('cannot take away what the backend needs, by listing it in Connection', async () => {
    for (const name of [
      'X-Forwarded-For',
      'X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto, Forwarded, X-Request-Id',
      'Host',
      'host',
      'Content-Length',
      'content-length, Host',
      'Transfer-Encoding',
      'close, X-Forwarded-For, Host',
    ]) {
      const lines = `Host: ${OURS}\r\nConnection: ${name}\r\n`
      await sendRaw(under.httpPort, `GET / HTTP/1.1\r\n${lines}\r\n`)
      await sendRaw(under.httpPort, `POST / HTTP/1.1\r\n${lines}Content-Length: 3\r\n\r\nabc`)
    }
    expect(backend.seen.map(({ method, body }) => method + body)).toEqual(
      Array.from({ length: 8 }, () => ['GET', 'POSTabc']).flat(),
    )
    expectOnlyTruth()
  })
})
