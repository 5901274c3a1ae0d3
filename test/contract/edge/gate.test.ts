import { createHash } from 'node:crypto'
import { on, once } from 'node:events'
import { createServer } from 'node:http'
import { connect, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { describe, expect, it } from 'vitest'
import type { EdgeRequest } from '../../../src/edge/index.ts'
import { OTHER, OURS, openBackend, openEdge, sendRaw, statusOf } from './support.ts'

const get = (path = '/', fields = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: ${OURS}\r\n${fields}\r\n`

/** A visitor who keeps the connection; over TLS with the certificate unverified. */
async function visit(
  port: number,
  over: 'http' | 'https',
  { allowHalfOpen = false }: { readonly allowHalfOpen?: boolean } = {},
): Promise<Socket> {
  const where = { port, host: '127.0.0.1', allowHalfOpen }
  const socket =
    over === 'http'
      ? connect(where)
      : connectTls({ ...where, servername: OURS, rejectUnauthorized: false })
  socket.on('error', () => undefined)
  await once(socket, over === 'http' ? 'connect' : 'secureConnect')
  socket.setNoDelay()
  return socket
}

/** Everything that comes until `count` answers have begun and the last of them contains `end`. */
async function hear(socket: Socket, count: number, end: string): Promise<string> {
  let text = ''
  for await (const piece of onData(socket)) {
    text += piece.toString('latin1')
    if (text.split('HTTP/1.1 ').length > count && text.endsWith(end)) return text
  }
  return text
}

async function* onData(socket: Socket): AsyncGenerator<Buffer> {
  for await (const [piece] of on(socket, 'data', { close: ['close'] })) yield piece
}

/** node:http says how long it keeps a connection; the gate does not. */
const BY_NODE = /keep-alive: timeout/i

describe.each(['http', 'https'] as const)('over %s the gate', (over) => {
  const portOf = (under: Awaited<ReturnType<typeof openEdge>>): number =>
    over === 'http' ? under.httpPort : under.httpsPort

  it('answers plain requests itself, one after the other', async () => {
    await using under = await openEdge()
    const visitor = await visit(portOf(under), over)
    for (const path of ['/1', '/2', '/3']) {
      visitor.write(get(path))
      const answer = await hear(visitor, 1, `${OURS}${path}`)
      expect(statusOf(answer)).toBe(200)
      expect(answer).toMatch(/\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n/)
      expect(answer).not.toMatch(BY_NODE)
    }
    visitor.destroy()
  })

  it('reads a head that comes byte by byte', async () => {
    await using under = await openEdge()
    const visitor = await visit(portOf(under), over)
    const heard = hear(visitor, 1, `${OURS}/slow`)
    for (const byte of get('/slow', 'Accept: */*\r\n')) {
      visitor.write(byte)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(statusOf(await heard)).toBe(200)
    expect(under.seen.map(({ target }) => target)).toEqual(['/slow'])
    visitor.destroy()
  })

  it('hands over what is not plain, with all that follows, after what it has answered', async () => {
    await using under = await openEdge()
    const visitor = await visit(portOf(under), over)
    const odd = get('/odd', 'Accept:  two spaces\r\n')
    visitor.write(get('/plain') + odd + get('/behind'))
    const text = await hear(visitor, 3, `${OURS}/behind`)
    const [, plain = '', handedOver = '', behind = ''] = text.split('HTTP/1.1 200 OK')
    expect(plain).not.toMatch(BY_NODE)
    expect(handedOver).toMatch(BY_NODE)
    expect(behind).toMatch(BY_NODE)
    expect(under.seen.map(({ target }) => target)).toEqual(['/plain', '/odd', '/behind'])
    visitor.destroy()
  })

  it('hands over a body whose head came in two pieces', async () => {
    await using backend = await openBackend((socket, received) => {
      if (received.endsWith('abc')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    })
    await using under = await openEdge({ backend: backend.target })
    const visitor = await visit(portOf(under), over)
    visitor.write('POST /form HT')
    await new Promise((resolve) => setImmediate(resolve))
    visitor.write(`TP/1.1\r\nHost: ${OURS}\r\nContent-Length: 3\r\n\r\nabc`)
    expect(statusOf(await hear(visitor, 1, 'ok'))).toBe(200)
    expect(backend.text()).toMatch(/^POST \/form/)
    visitor.destroy()
  })

  it('answers in order what was sent ahead, one at a time', async () => {
    const waiting: ((value: { status: number; headers: []; body: Buffer }) => void)[] = []
    await using under = await openEdge({
      answer: () => new Promise((resolve) => waiting.push(resolve)),
    })
    const visitor = await visit(portOf(under), over)
    const heard = hear(visitor, 3, 'c')
    visitor.write(get('/1') + get('/2') + get('/3'))
    for (const [index, letter] of ['a', 'b', 'c'].entries()) {
      await expect.poll(() => waiting.length).toBe(index + 1)
      waiting[index]?.({ status: 200, headers: [], body: Buffer.from(letter) })
    }
    const bodies = (await heard).split(/HTTP\/1\.1 200 OK[\s\S]*?\r\n\r\n/)
    expect(bodies).toEqual(['', 'a', 'b', 'c'])
    visitor.destroy()
  })

  it('stops reading when much was sent ahead, and goes on when it was answered', async () => {
    await using under = await openEdge()
    const visitor = await visit(portOf(under), over)
    const many = Array.from({ length: 12 }, (_, index) =>
      get(`/${index}`, `Cookie: ${'c'.repeat(12_000)}\r\n`),
    )
    visitor.write(many.join(''))
    const text = await hear(visitor, 12, `${OURS}/11`)
    expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(12)
    visitor.destroy()
  })

  it('takes no next request from a visitor who does not read, until it does', async () => {
    const body = Buffer.alloc(1024 * 1024, 'x')
    await using under = await openEdge({ answer: async () => ({ status: 200, headers: [], body }) })
    const visitor = await visit(portOf(under), over)
    const other = await visit(portOf(under), over)
    visitor.pause()
    visitor.write(get('/much').repeat(30))
    for (let turns = 0; turns < 20; turns += 1) {
      const heard = hear(other, 1, 'x')
      other.write(get('/other', 'X-A: b\r\n'))
      await heard
    }
    const isMuch = ({ target }: EdgeRequest): boolean => target === '/much'
    // What the kernel holds, and one.
    expect(under.seen.filter(isMuch).length).toBeLessThan(15)
    visitor.resume()
    await expect.poll(() => under.seen.filter(isMuch).length).toBe(30)
    visitor.destroy()
    other.destroy()
  })

  it.each([1, 2, 5])(
    'answers %i requests with which a visitor says its last word',
    async (count) => {
      await using under = await openEdge()
      const visitor = await visit(portOf(under), over, { allowHalfOpen: true })
      const paths = Array.from({ length: count }, (_, index) => `/${index}`)
      visitor.end(paths.map((path) => get(path)).join(''))
      const text = await hear(visitor, 9, '')
      expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(count)
      expect(under.seen.map(({ target }) => target)).toEqual(paths)
    },
  )

  it('ends with the answer where what follows it is not for the gate, and nothing can follow that', async () => {
    await using under = await openEdge()
    const visitor = await visit(portOf(under), over, { allowHalfOpen: true })
    visitor.end(`${get('/1')}POST /2 HTTP/1.1\r\nHost: ${OURS}\r\n\r\n`)
    const text = await hear(visitor, 9, '')
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200'])
    expect(under.seen.map(({ target }) => target)).toEqual(['/1'])
  })

  it('ends the connection with the answer to one that asks for it', async () => {
    await using under = await openEdge()
    const visitor = await visit(portOf(under), over)
    visitor.write(get('/last', 'Connection: close\r\n') + get('/never'))
    const text = await hear(visitor, 9, '')
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*Connection: close\r\n/)
    expect(under.seen.map(({ target }) => target)).toEqual(['/last'])
  })
})

describe('the gate', () => {
  it('serves no other host over TLS after a hand-over than before it', async () => {
    await using under = await openEdge()
    const visitor = await visit(under.httpsPort, 'https')
    visitor.write(get('/1') + get('/2', 'Accept:  x\r\n'))
    await hear(visitor, 2, `${OURS}/2`)
    visitor.write(`GET / HTTP/1.1\r\nHost: ${OTHER}\r\n\r\n`)
    expect(statusOf(await hear(visitor, 1, '.\n'))).toBe(421)
  })

  it('says so when a visitor leaves in the middle of a head', async () => {
    await using under = await openEdge()
    const visitor = await visit(under.httpPort, 'http')
    visitor.end('GET / HTTP/1.1\r\nHost: em')
    expect(statusOf(await hear(visitor, 9, ''))).toBe(400)
    expect(await under.metric('postern_requests_refused_total')).toContain('grammar')
  })

  it('ends a connection after ten thousand requests, and says so with the last answer', async () => {
    await using under = await openEdge({
      answer: async () => ({ status: 200, headers: [], body: Buffer.from('.') }),
    })
    const visitor = await visit(under.httpPort, 'http')
    const pieces: Buffer[] = []
    visitor.on('data', (piece: Buffer) => pieces.push(piece))
    const closed = once(visitor, 'close')
    const batch = get().repeat(25)
    for (let sent = 0; sent < 10_000; sent += 25) {
      await expect.poll(() => under.seen.length, { interval: 1 }).toBe(sent)
      visitor.write(batch)
    }
    await closed
    const text = Buffer.concat(pieces).toString('latin1')
    expect(text.match(/Connection: close/g)).toHaveLength(1)
    expect(text.lastIndexOf('Connection: close')).toBeGreaterThan(text.lastIndexOf('HTTP/1.1'))
  })

  it('keeps the seat of a visitor whose request and a newcomer come in one turn', async () => {
    await using under = await openEdge({ resources: { descriptors: 16 } })
    const visitors = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const visitor = await visit(under.httpPort, 'http')
        visitor.write(get('/before'))
        await hear(visitor, 1, `${OURS}/before`)
        return visitor
      }),
    )
    const [first] = visitors
    if (!first) throw new Error('Nobody came.')
    // Both are in the kernel before the edge, in this process, has its next turn.
    await turn()
    first.write(get('/asked'))
    const newcomer = connect(under.httpPort, '127.0.0.1').on('error', () => undefined)
    expect(statusOf(await hear(first, 1, `${OURS}/asked`))).toBe(200)
    for (const one of [...visitors, newcomer]) one.destroy()
  })

  it('gives back the seat of a visitor who left without a word', async () => {
    await using under = await openEdge()
    const visitor = await visit(under.httpPort, 'http')
    visitor.end()
    expect(await hear(visitor, 9, '')).toBe('')
  })

  it.each([
    ['HEAD', 200, 'hello', /Content-Length: 5\r\n\r\n$/],
    ['GET', 204, '', /204 No Content\r\n(?!.*Content-Length)[\s\S]*\r\n\r\n$/],
    ['GET', 304, '', /304 Not Modified\r\n(?!.*Content-Length)[\s\S]*\r\n\r\n$/],
    ['GET', 200, '', /Content-Length: 0\r\n\r\n$/],
  ])('writes the end of an answer to %s with %i', async (method, status, body, expected) => {
    const answer = async (_request: EdgeRequest) => ({
      ...{ status, headers: [['x-a', 'b']] as const },
      body: Buffer.from(body),
    })
    await using under = await openEdge({ answer })
    const bytes = `${method} / HTTP/1.1\r\nHost: ${OURS}\r\n\r\n`
    const visitor = await visit(under.httpPort, 'http')
    visitor.write(bytes)
    expect(await hear(visitor, 1, '\r\n\r\n')).toMatch(expected)
    visitor.destroy()
  })

  it('answers with 500 where a backend would have a field end early', async () => {
    await using under = await openEdge({
      answer: async () => ({
        status: 302,
        headers: [['location', 'https://x.test/\r\nSet-Cookie: a=b']],
        body: Buffer.alloc(0),
      }),
    })
    const answer = await sendRaw(under.httpPort, get())
    expect(statusOf(answer)).toBe(500)
    expect(answer).not.toMatch(/set-cookie/i)
  })

  it.each(['http', 'https'] as const)(
    'passes a long answer on over %s, whole, at the pace of its reader',
    async (over) => {
      const piece = Buffer.alloc(256 * 1024, 'x')
      const server = createServer((_request, response) => {
        for (let count = 0; count < 16; count += 1) response.write(piece)
        response.end()
      })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const address = server.address()
      const port = typeof address === 'object' && address ? address.port : 0
      await using under = await openEdge({
        backend: { kind: 'remote', targets: [{ kind: 'tcp', host: '127.0.0.1', port }] },
      })
      const visitor = await visit(over === 'http' ? under.httpPort : under.httpsPort, over)
      visitor.write(get('/long'))
      const { body, head } = await readChunked(visitor)
      expect(head).toMatch(/transfer-encoding: chunked/i)
      const expected = createHash('sha256')
      for (let count = 0; count < 16; count += 1) expected.update(piece)
      expect(createHash('sha256').update(body).digest('hex')).toBe(expected.digest('hex'))
      visitor.destroy()
      server.closeAllConnections()
      server.close()
    },
  )
})

async function readChunked(socket: Socket): Promise<{ head: string; body: Buffer }> {
  const pieces: Buffer[] = []
  for await (const piece of onData(socket)) {
    pieces.push(piece)
    if (piece.subarray(-5).toString('latin1') === '0\r\n\r\n') break
  }
  const bytes = Buffer.concat(pieces)
  let at = bytes.indexOf('\r\n\r\n') + 4
  const head = bytes.toString('latin1', 0, at)
  const body: Buffer[] = []
  for (;;) {
    const end = bytes.indexOf('\r\n', at)
    const size = Number.parseInt(bytes.toString('latin1', at, end), 16)
    if (size === 0) return { head, body: Buffer.concat(body) }
    body.push(bytes.subarray(end + 2, end + 2 + size))
    at = end + 2 + size + 2
  }
}
