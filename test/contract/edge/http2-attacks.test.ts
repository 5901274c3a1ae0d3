import { once } from 'node:events'
import { type ClientHttp2Session, connect, constants } from 'node:http2'
import { connect as connectTcp } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createFakeClock } from '../../support/fake-clock.ts'
import { flood, HTTP2_ATTACKS } from '../../support/http2-attacks.ts'
import {
  END_HEADERS,
  END_STREAM,
  type Field,
  FRAME,
  frame,
  get,
  hpack,
  openRawHttp2,
  PREFACE,
  uint32,
} from '../../support/http2-frames.ts'
import { type EdgeUnderTest, OK_ANSWER, OURS, openBackend, openEdge } from './support.ts'

const WHOLE = END_STREAM | END_HEADERS

describe('a flood over HTTP/2', () => {
  let under: EdgeUnderTest
  let visitor: ClientHttp2Session

  beforeEach(async () => {
    under = await openEdge()
    const where = { servername: OURS, rejectUnauthorized: false }
    visitor = connect(`https://127.0.0.1:${under.httpsPort}`, where)
    await once(visitor, 'connect')
  })
  afterEach(async () => {
    visitor.destroy()
    await under[Symbol.asyncDispose]()
  })

  it.each(HTTP2_ATTACKS)('of $name ends its connection and nobody notices', async (attack) => {
    const before = process.memoryUsage().rss
    await using raw = await openRawHttp2(under.httpsPort, OURS)
    await flood(raw, attack, { authority: OURS, rounds: 20_000 })
    const visits = Promise.all([1, 2, 3].map(() => visit(visitor)))
    const code = await raw.closed
    expect(await visits).toEqual([200, 200, 200])
    // Whatever the reason given, it is never "nothing was wrong".
    expect(code ?? constants.NGHTTP2_PROTOCOL_ERROR).not.toBe(constants.NGHTTP2_NO_ERROR)
    expect(under.seen.length).toBeLessThan(3000)
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024)
  })

  it('of resets at a pace that is not yet a flood to HTTP/2 itself is told to calm down', async () => {
    await using raw = await openRawHttp2(under.httpsPort, OURS)
    raw.send(PREFACE)
    for (let id = 1; id <= 501 && raw.socket.writable; id += 2) {
      raw.send(frame(FRAME.headers, WHOLE, id, get(OURS)), frame(FRAME.reset, 0, id, uint32(8)))
      if (id % 50 === 1) await visit(visitor)
    }
    expect(await raw.closed).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM)
    expect(await under.metric('postern_requests_refused_total')).toContain('http2-overhead')
  })
})

describe('over HTTP/2, a visitor', () => {
  const noWindow = frame(FRAME.settings, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0]))

  it('who reads no answer gets a hundred at most, and each is given up in time', async () => {
    const clock = createFakeClock()
    await using under = await openEdge({ clock })
    await using raw = await openRawHttp2(under.httpsPort, OURS)
    raw.send(PREFACE, noWindow)
    for (let index = 0; index < 150; index += 1) {
      raw.send(frame(FRAME.headers, WHOLE, 2 * index + 1, get(OURS)))
    }
    const isReset = (code: number) => (one: { type: number; payload: Buffer }) =>
      one.type === FRAME.reset && one.payload.readUInt32BE(0) === code
    await expect.poll(() => raw.frames(FRAME.headers).length).toBe(100)
    await expect.poll(() => raw.frames(FRAME.reset).length).toBe(50)
    expect(raw.frames(FRAME.reset).every(isReset(constants.NGHTTP2_REFUSED_STREAM))).toBe(true)
    expect(under.seen).toHaveLength(100)
    await clock.advance(29_000)
    expect(raw.frames(FRAME.reset)).toHaveLength(50)
    await clock.advance(2000)
    await expect.poll(() => raw.frames(FRAME.reset).length).toBe(150)
  })

  it('who asks for nothing, or no more, is bid farewell', async () => {
    const clock = createFakeClock()
    await using under = await openEdge({ clock })
    await using silent = await openRawHttp2(under.httpsPort, OURS)
    await using served = await openRawHttp2(under.httpsPort, OURS)
    silent.send(PREFACE)
    served.send(PREFACE, frame(FRAME.headers, WHOLE, 1, get(OURS)))
    await served.until(({ type, flags }) => type === FRAME.data && (flags & END_STREAM) !== 0)
    await silent.until(({ type }) => type === FRAME.settings)
    await clock.advance(6000)
    expect(await served.closed).toBe(constants.NGHTTP2_NO_ERROR)
    await clock.advance(5000)
    expect(await silent.closed).toBe(constants.NGHTTP2_NO_ERROR)
  })

  it('who never ends its side of a connection that is over loses it', async () => {
    const clock = createFakeClock()
    await using under = await openEdge({ clock })
    await using raw = await openRawHttp2(under.httpsPort, OURS)
    raw.socket.allowHalfOpen = true
    raw.send(PREFACE, frame(FRAME.headers, WHOLE, 1, get(OURS)))
    await raw.until(({ type, flags }) => type === FRAME.data && (flags & END_STREAM) !== 0)
    const ended = once(raw.socket, 'end')
    await clock.advance(6000)
    await ended
    await clock.advance(3000)
    // A socket that is gone says so to whoever writes to it.
    const isGone = () => {
      raw.send(frame(FRAME.ping, 0, 0, Buffer.alloc(8)))
      return raw.socket.destroyed
    }
    await expect.poll(isGone).toBe(true)
  })

  it('who leaves without a word has broken no rule', async () => {
    await using under = await openEdge()
    const wire = connectTcp(under.httpsPort, '127.0.0.1')
    await using raw = await openRawHttp2(under.httpsPort, OURS, { socket: wire })
    raw.send(PREFACE, frame(FRAME.headers, WHOLE, 1, get(OURS)))
    await raw.until(({ type, flags }) => type === FRAME.data && (flags & END_STREAM) !== 0)
    wire.resetAndDestroy()
    // By the time that others have come and were served, it has been noticed.
    for (let visits = 0; visits < 3; visits += 1) {
      await using other = await openRawHttp2(under.httpsPort, OURS)
      other.send(PREFACE, frame(FRAME.headers, WHOLE, 1, get(OURS)))
      await other.until(({ type }) => type === FRAME.data)
    }
    expect(await under.metric('postern_requests_refused_total')).not.toContain('http2')
  })

  it('who does not send the body that was announced is given up in time', async () => {
    const clock = createFakeClock()
    await using backend = await openBackend(() => undefined)
    await using under = await openEdge({ backend: backend.target, clock })
    await using raw = await openRawHttp2(under.httpsPort, OURS)
    const fields: readonly Field[] = [
      [':method', 'POST'],
      [':scheme', 'https'],
      [':authority', OURS],
      [':path', '/'],
      ['content-length', '10'],
    ]
    raw.send(PREFACE, frame(FRAME.headers, END_HEADERS, 1, hpack(fields)))
    raw.send(frame(FRAME.data, 0, 1, Buffer.from('half')))
    await expect.poll(() => backend.text()).toContain('half')
    await clock.advance(61_000)
    await raw.until(({ type }) => type === FRAME.reset)
  })
})

describe('what was said in HTTP/2 and means more in HTTP/1.1', () => {
  const asks = (extra: readonly Field[], pseudo: Readonly<Record<string, string>> = {}) => {
    const own = { ':method': 'POST', ':scheme': 'https', ':authority': OURS, ':path': '/' }
    return hpack([...Object.entries({ ...own, ...pseudo }), ...extra])
  }
  const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: evil\r\n\r\n'

  it.each<[string, Buffer]>([
    ['a value with CR LF', asks([['x', 'a\r\nTransfer-Encoding: chunked']])],
    ['a value with LF', asks([['x', 'a\nContent-Length: 0']])],
    ['a value with NUL', asks([['x', 'a\0b']])],
    ['a value with a request', asks([['x', `a\r\n\r\n${smuggled}`]])],
    ['a name with CR LF', asks([['x: a\r\ntransfer-encoding', 'chunked']])],
    ['a name with a colon', asks([['transfer-encoding: chunked\r\nx', 'a']])],
    ['a name with a space', asks([['transfer-encoding ', 'chunked']])],
    ['an empty name', asks([['', 'x']])],
  ])('%s is left out, and the backend sees one request without it', async (_, head) => {
    await using backend = await openBackend((socket) => socket.write(OK_ANSWER))
    await using under = await openEdge({ backend: backend.target })
    await using raw = await openRawHttp2(under.httpsPort, OURS)
    raw.send(PREFACE, frame(FRAME.headers, WHOLE, 1, head))
    await raw.until(({ type, flags }) => type === FRAME.data && (flags & END_STREAM) !== 0)
    const text = backend.text()
    expect(text).toMatch(/^POST \/ HTTP\/1\.1\r\n(?:[!-9;-~]+: [ -~]*\r\n)+\r\n$/)
    expect(text).not.toMatch(/transfer-encoding|smuggled|^x:/im)
    expect(text.match(/^content-length: /gim)).toHaveLength(1)
  })

  it.each(
    ['content-length', 'transfer-encoding', 'host', 'expect', 'connection'].flatMap((name) =>
      ['GET', 'HEAD', 'POST', 'DELETE'].map((method) => [method, name] as const),
    ),
  )('%s with %s for a value is one request, whatever its body says', async (method, name) => {
    await using backend = await openBackend((socket) => socket.write(OK_ANSWER))
    await using under = await openEdge({ backend: backend.target })
    await using raw = await openRawHttp2(under.httpsPort, OURS)
    const head = asks([['x-a', name]], { ':method': method })
    raw.send(PREFACE, frame(FRAME.headers, END_HEADERS, 1, head))
    // The stream stays open: its end would take back what is wrong, in the same breath.
    raw.send(frame(FRAME.data, 0, 1, Buffer.from(smuggled)))
    await raw.until(({ type }) => type === FRAME.reset || type === FRAME.headers)
    const text = backend.text()
    const [first = '', rest = ''] = text.split(/(?<=\r\n\r\n)/)
    if (method === 'POST') expect(first).toMatch(/transfer-encoding: chunked\r\n/i)
    else expect(rest).toBe('')
    expect(rest).not.toMatch(/^GET/)
  })

  it.each<[string, Buffer, string]>([
    ['an upper-case name', asks([['Transfer-Encoding', 'chunked']]), ''],
    ['transfer-encoding', asks([['transfer-encoding', 'chunked']]), `0\r\n\r\n${smuggled}`],
    ['connection', asks([['connection', 'content-length']]), ''],
    ['upgrade', asks([['upgrade', 'h2c']]), ''],
    ['te that is more than trailers', asks([['te', 'trailers, chunked']]), ''],
    ['a length that is shorter', asks([['content-length', '0']]), smuggled],
    ['a length that is longer', asks([['content-length', '999']]), smuggled],
    [
      'two lengths',
      asks([
        ['content-length', '5'],
        ['content-length', '0'],
      ]),
      'whole',
    ],
    ['a length with a sign', asks([['content-length', '+5']]), 'whole'],
    ['a path with a space', asks([], { ':path': '/ HTTP/1.1\r\nHost: evil\r\n\r\nGET /x' }), ''],
    ['a path with a tab', asks([], { ':path': '/\tx' }), ''],
    ['a method with a request', asks([], { ':method': `${smuggled}GET` }), ''],
    ['an authority with CR LF', asks([], { ':authority': `${OURS}\r\nx: y` }), ''],
    ['a second path', asks([[':path', '/evil']]), ''],
    [
      'a path after the fields',
      asks([
        ['a', 'b'],
        [':path', '/evil'],
      ]),
      '',
    ],
    ['another host', asks([['host', 'evil.test']]), ''],
    [
      'two hosts',
      asks([
        ['host', OURS],
        ['host', OURS],
      ]),
      '',
    ],
    ['a protocol', asks([[':protocol', 'websocket']], { ':method': 'CONNECT' }), ''],
  ])('%s reaches no backend', async (_, head, body) => {
    await using backend = await openBackend((socket) => socket.write(OK_ANSWER))
    await using under = await openEdge({ backend: backend.target })
    await using raw = await openRawHttp2(under.httpsPort, OURS)
    raw.send(PREFACE, frame(FRAME.headers, body === '' ? WHOLE : END_HEADERS, 1, head))
    if (body !== '') raw.send(frame(FRAME.data, END_STREAM, 1, Buffer.from(body)))
    const answered = raw.until(({ type }) => type === FRAME.reset || type === FRAME.headers)
    await Promise.race([answered, raw.closed])
    // A half that was passed on is nobody's whole request.
    const text = backend.text()
    if (text !== '') expect(text).toMatch(/content-length: 999\r\n/i)
    expect(text.slice(text.indexOf('\r\n\r\n') + 4)).toBe(text === '' ? '' : smuggled)
    const answers = raw.frames(FRAME.headers).map(({ payload }) => payload.toString('latin1'))
    expect(answers.some((one) => one.includes('\x88'))).toBe(false)
  })
})

async function visit(session: ClientHttp2Session): Promise<number> {
  const stream = session.request({ ':authority': OURS })
  const [headers] = await once(stream, 'response')
  stream.resume()
  await once(stream, 'close')
  return headers[':status']
}
