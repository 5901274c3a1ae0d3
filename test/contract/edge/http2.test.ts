import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type ClientHttp2Session, connect, constants, type OutgoingHttpHeaders } from 'node:http2'
import { connect as connectTcp, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { curl } from '../../support/clients.ts'
import {
  END_HEADERS,
  END_STREAM,
  FRAME,
  frame,
  get,
  hpack,
  openRawHttp2,
  PREFACE,
  type RawHttp2,
  uint32,
} from '../../support/http2-frames.ts'
import { ca, type EdgeUnderTest, OTHER, OURS, openBackend, openEdge, PENDING } from './support.ts'

let under: EdgeUnderTest
const sessions: ClientHttp2Session[] = []

beforeEach(async () => {
  under = await openEdge()
})
afterEach(async () => {
  for (const session of sessions.splice(0)) session.destroy()
  await under[Symbol.asyncDispose]()
})

function open(servername = OURS, port = under.httpsPort): ClientHttp2Session {
  const session = connect(`https://127.0.0.1:${port}`, { servername, ca: [ca.rootPem] })
  session.on('error', () => undefined)
  sessions.push(session)
  return session
}

interface Said {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: string
  readonly code: number
}

async function ask(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body?: string,
): Promise<Said> {
  const stream = session.request(
    { ':authority': OURS, ...headers },
    { endStream: body === undefined },
  )
  let text = ''
  let said: Record<string, unknown> = {}
  stream.on('response', (response) => {
    said = response
  })
  stream.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
  })
  stream.on('error', () => undefined)
  if (body !== undefined) stream.end(body)
  await new Promise((resolve) => stream.on('close', resolve))
  const code = stream.rstCode
  return { status: Number(said[':status'] ?? 0), headers: said, body: text, code }
}

describe('over HTTP/2', () => {
  it('answers a visitor who verifies, and curl', async () => {
    const said = await ask(open(), { ':path': '/x?y' })
    expect(said).toMatchObject({ status: 200, body: `GET ${OURS}/x?y`, code: 0 })
    expect(said.headers).toMatchObject({ 'content-type': 'text/plain', date: expect.any(String) })
    const folder = await mkdtemp(join(tmpdir(), 'postern-h2-'))
    const caFile = join(folder, 'root.pem')
    await writeFile(caFile, ca.rootPem)
    const seen = await curl(`https://${OURS}/c`, { caFile, port: under.httpsPort })
    await rm(folder, { recursive: true })
    expect(seen.stdout).toMatch(/^HTTP\/2 200/)
    expect(seen.stdout).toContain(`GET ${OURS}/c`)
  })

  it('answers a hundred requests at once on one connection', async () => {
    const session = open()
    const paths = Array.from({ length: 100 }, (_, index) => `/${index}`)
    const all = await Promise.all(paths.map((path) => ask(session, { ':path': path })))
    expect(all.map(({ body }) => body)).toEqual(paths.map((path) => `GET ${OURS}${path}`))
    expect(await under.metric('postern_requests_total')).toContain('"value":100')
  })

  it('sends no body with 205, and says so', async () => {
    await using far = await openEdge({
      answer: async () => ({ status: 205, headers: [], body: Buffer.from('unwanted') }),
    })
    const said = await ask(open(OURS, far.httpsPort), {})
    expect(said).toMatchObject({ status: 205, body: '', headers: { 'content-length': '0' } })
  })

  it('tells HEAD the length and sends no body', async () => {
    const said = await ask(open(), { ':method': 'HEAD' })
    const length = String(`HEAD ${OURS}/`.length)
    expect(said).toMatchObject({ status: 200, body: '', headers: { 'content-length': length } })
  })

  it('answers 421 for any host but the one of the handshake, and goes on', async () => {
    const session = open()
    for (const [authority, status] of [
      [OTHER, 421],
      ['stranger.test', 421],
      [OURS.toUpperCase(), 200],
      [`${OURS}:443`, 200],
      [`${OURS}.`, 400],
      ['127.0.0.1', 400],
      [OURS, 200],
    ] as const) {
      const said = await ask(session, { ':authority': authority, ':path': '/' })
      expect([authority, said.status]).toEqual([authority, status])
    }
    expect(under.seen.every(({ hostname }) => hostname === OURS)).toBe(true)
    expect(session.closed).toBe(false)
  })

  it('answers 421 on the stand-in certificate', async () => {
    const session = connect(`https://127.0.0.1:${under.httpsPort}`, {
      servername: PENDING,
      rejectUnauthorized: false,
    })
    sessions.push(session)
    expect((await ask(session, { ':authority': PENDING })).status).toBe(421)
    expect(under.seen).toEqual([])
  })

  it('answers a challenge', async () => {
    under.tokens.set(`${OURS}/token`, 'token.proof')
    const said = await ask(open(), { ':path': '/.well-known/acme-challenge/token' })
    expect(said).toMatchObject({ status: 200, body: 'token.proof' })
  })

  it.each<[string, OutgoingHttpHeaders, number | 'reset']>([
    ['a method nobody knows', { ':method': 'BREW' }, 501],
    ['TRACE', { ':method': 'TRACE' }, 405],
    ['a path that is none', { ':path': 'x' }, 'reset'],
    ['a URL for a path', { ':path': `https://${OURS}/` }, 'reset'],
    ['a fragment', { ':path': '/x#y' }, 400],
    ['an asterisk', { ':method': 'OPTIONS', ':path': '*' }, 400],
    ['plain http', { ':scheme': 'http' }, 400],
    ['another host beside the authority', { host: OTHER }, 400],
    ['a user in the authority', { ':authority': `u@${OURS}` }, 'reset'],
    ['an underscore in a name', { x_forwarded_for: '6.6.6.6' }, 400],
    ['bytes that are not ASCII', { 'x-a': '\xe9' }, 400],
  ])('refuses %s, and the connection goes on', async (_, headers, status) => {
    const session = open()
    const said = await ask(session, headers)
    if (status === 'reset') expect(said.code).toBe(constants.NGHTTP2_PROTOCOL_ERROR)
    else expect(said.status).toBe(status)
    expect(under.seen).toEqual([])
    expect((await ask(session, {})).status).toBe(200)
  })

  it('refuses CONNECT', async () => {
    const session = open()
    const stream = session.request({ ':method': 'CONNECT', ':authority': OURS })
    stream.on('error', () => undefined)
    const [headers] = await once(stream, 'response')
    expect(headers[':status']).toBe(405)
  })

  it('answers a request whose body nobody reads, and asks for no more of it', async () => {
    const said = await ask(open(), { ':method': 'POST', ':path': '/b' }, 'x'.repeat(1000))
    expect(said).toMatchObject({ status: 200, body: `POST ${OURS}/b`, code: 0 })
  })

  it('answers once, when it is drained, whoever has shaken hands or is about to', async () => {
    const request = frame(FRAME.headers, END_STREAM | END_HEADERS, 1, get(OURS))
    const toEnd = (raw: RawHttp2) =>
      raw.until(({ type, flags }) => type === FRAME.data && (flags & END_STREAM) !== 0)
    const wire = connectTcp(under.httpsPort, '127.0.0.1')
    await once(wire, 'connect')
    await using fresh = await openRawHttp2(under.httpsPort, OURS)
    await using served = await openRawHttp2(under.httpsPort, OURS)
    served.send(PREFACE, request)
    await toEnd(served)
    const drained = under.edge.drain(5000)
    await served.until(({ type }) => type === FRAME.goaway)
    await using late = await openRawHttp2(under.httpsPort, OURS, { socket: wire })
    for (const raw of [fresh, late]) {
      raw.send(PREFACE, request)
      await toEnd(raw)
      expect(await raw.closed).toBe(constants.NGHTTP2_NO_ERROR)
    }
    await drained
    expect(under.logLines.join()).not.toMatch(/"destroyed":[1-9]/)
  })

  it('lets requests under way finish when it is drained', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    await using slow = await openEdge({
      answer: async () => {
        await promise
        return { status: 200, headers: [], body: Buffer.from('late') }
      },
    })
    const session = open(OURS, slow.httpsPort)
    const goaway = once(session, 'goaway')
    const said = ask(session, {})
    await once(session, 'remoteSettings')
    await expect.poll(() => slow.seen.length).toBe(1)
    const drained = slow.edge.drain(5000)
    await goaway
    resolve()
    expect(await said).toMatchObject({ status: 200, body: 'late' })
    await drained
  })
})

describe('a remote backend behind HTTP/2', () => {
  const echo = (answer: string) => (socket: { write(text: string): void }, received: string) => {
    if (/\r\n\r\n(?:.*0\r\n\r\n|whole)?$/s.test(received)) socket.write(answer)
  }
  const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\nServer: x\r\n\r\nok'

  it('gets one head of HTTP/1.1, with cookies in one field', async () => {
    await using backend = await openBackend(echo(OK))
    await using far = await openEdge({ backend: backend.target })
    const said = await ask(open(OURS, far.httpsPort), {
      ...{ ':path': '/a?b', cookie: ['a=1', 'b=2'], 'x-forwarded-for': '6.6.6.6' },
      ...{ te: 'trailers', via: '2 evil', 'user-agent': 'u', 'x-kept': ['1', '2'] },
    })
    expect(said).toMatchObject({ status: 200, body: 'ok', headers: { 'content-length': '2' } })
    expect(said.headers['connection'] ?? said.headers['server']).toBeUndefined()
    const head = backend.text()
    expect(head.startsWith('GET /a?b HTTP/1.1\r\n')).toBe(true)
    expect(head.match(/^cookie: .*$/gim)).toEqual(['cookie: a=1; b=2'])
    expect(head.match(/^host: .*$/gim)?.map((line) => line.toLowerCase())).toEqual([
      `host: ${OURS}`,
    ])
    expect(head).toMatch(/^x-forwarded-for: 127\.0\.0\.1\r$/im)
    expect(head).not.toMatch(/6\.6\.6\.6|evil|^te:/im)
    expect(head.match(/^x-kept: /gim)).toHaveLength(2)
  })

  it('gets a body with the length that was announced, or in chunks', async () => {
    await using backend = await openBackend(echo(OK))
    await using far = await openEdge({ backend: backend.target })
    const session = open(OURS, far.httpsPort)
    const sized = { ':method': 'PUT', ':path': '/1', 'content-length': '5' }
    expect((await ask(session, sized, 'whole')).body).toBe('ok')
    expect(backend.text()).toMatch(/content-length: 5\r\n[\s\S]*\r\n\r\nwhole$/i)
    expect((await ask(session, { ':method': 'POST', ':path': '/2' }, 'parts')).body).toBe('ok')
    expect(backend.text()).toMatch(
      /transfer-encoding: chunked\r\n[\s\S]*\r\n\r\n5\r\nparts\r\n0\r\n\r\n$/i,
    )
    expect((await ask(session, { ':method': 'DELETE', ':path': '/3' })).body).toBe('ok')
    expect(backend.text()).toMatch(/DELETE \/3 HTTP\/1\.1\r\n/)
  })

  it('never gets the end of a body that its visitor broke off', async () => {
    const reached = Promise.withResolvers<Socket>()
    await using backend = await openBackend((socket) => reached.resolve(socket))
    await using far = await openEdge({ backend: backend.target })
    await using raw = await openRawHttp2(far.httpsPort, OURS)
    const fields = hpack([
      [':method', 'POST'],
      [':scheme', 'https'],
      [':path', '/'],
      [':authority', OURS],
    ])
    raw.send(PREFACE, frame(FRAME.headers, END_HEADERS, 1, fields))
    raw.send(frame(FRAME.data, 0, 1, Buffer.from('part')))
    const closed = once(await reached.promise, 'close')
    await expect.poll(() => backend.text()).toContain('part')
    raw.send(frame(FRAME.reset, 0, 1, uint32(constants.NGHTTP2_CANCEL)))
    await closed
    expect(backend.text()).not.toContain('0\r\n\r\n')
  })

  it('ends a body that is too large, and says so', async () => {
    await using backend = await openBackend(() => undefined)
    await using far = await openEdge({ backend: backend.target })
    const session = open(OURS, far.httpsPort)
    const announced = { ':authority': OURS, ':method': 'POST', 'content-length': 10_485_761 }
    const [refused] = await once(session.request(announced), 'response')
    expect(refused[':status']).toBe(413)
    const body = 'x'.repeat(10_485_761)
    expect((await ask(session, { ':method': 'POST' }, body)).status).toBe(413)
    expect(backend.text().endsWith('0\r\n\r\n')).toBe(false)
  })

  it('streams a large answer with backpressure, whole', async () => {
    const size = 5_000_000
    await using backend = await openBackend((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`)
      socket.write(Buffer.alloc(size, 'x'))
    })
    await using far = await openEdge({ backend: backend.target })
    const said = await ask(open(OURS, far.httpsPort), {})
    expect([said.status, said.body.length, said.code]).toEqual([200, size, 0])
  })

  it.each([
    ['GET', undefined, 'Content-Length: 100\r\n\r\nhalf'],
    ['POST', 'body', 'Content-Length: 100\r\n\r\nhalf'],
    ['GET', undefined, 'Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n'],
    ['POST', 'body', 'Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n'],
  ])('that breaks off its answer to a %s is seen as that', async (method, body, half) => {
    await using backend = await openBackend((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${half}`)
      socket.end()
    })
    await using far = await openEdge({ backend: backend.target })
    const said = await ask(open(OURS, far.httpsPort), { ':method': method }, body)
    expect(said).toMatchObject({ status: 200, code: constants.NGHTTP2_INTERNAL_ERROR })
  })
})
