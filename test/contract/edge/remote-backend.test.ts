import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { OK_ANSWER, OURS, openBackend, openEdge, sendRaw, sendRawTls, statusOf } from './support.ts'

const get = (path = '/', fields = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: ${OURS}\r\n${fields}\r\n`

/** Answers each head it has got so far, once. */
function answering(answer = OK_ANSWER): Parameters<typeof openBackend>[0] {
  const answered = new WeakMap<object, number>()
  return (socket, received) => {
    const heads = received.split('\r\n\r\n').length - 1
    for (let count = answered.get(socket) ?? 0; count < heads; count += 1) socket.write(answer)
    answered.set(socket, heads)
  }
}

describe('the head that a remote backend gets', () => {
  it('carries what the edge knows, whatever the visitor claimed, in every spelling', async () => {
    await using backend = await openBackend(answering())
    await using under = await openEdge({ backend: backend.target })
    const claims = [
      'X-Forwarded-For: 6.6.6.6',
      'x-forwarded-for: 6.6.6.7',
      'X-FORWARDED-HOST: evil.test',
      'X-Forwarded-Proto: gopher',
      'X-Forwarded-Server: evil',
      'Forwarded: for=6.6.6.8',
      'X-Real-IP: 6.6.6.9',
      'Via: 1.1 evil',
      'X-Original-URL: /admin',
      'X-Rewrite-URL: /admin',
      'X-Request-Id: evil',
      'Proxy: http://evil',
      'TE: trailers',
      'Connection: X-Forwarded-For, X-Secret, Host, keep-alive',
      'X-Secret: evil',
      'constructor: kept',
      'Cookie: a=b',
    ]
    const answer = await sendRawTls(
      under.httpsPort,
      OURS,
      get('/p?q', `${claims.join('\r\n')}\r\n`),
    )
    expect(statusOf(answer)).toBe(200)
    const head = backend.text().toLowerCase()
    expect(head).toContain('get /p?q http/1.1\r\n')
    expect(head).not.toMatch(/evil|6\.6\.6|gopher|admin|\nte:/)
    expect(head.match(/x-forwarded-for: 127\.0\.0\.1\r\n/g)).toHaveLength(1)
    expect(head.match(/\r\nhost: /g)).toHaveLength(1)
    expect(head).toContain(`\r\nhost: ${OURS}\r\n`)
    expect(head).toContain(`x-forwarded-host: ${OURS}\r\n`)
    expect(head).toContain('x-forwarded-proto: https\r\n')
    expect(head).toContain(`x-forwarded-port: ${under.httpsPort}\r\n`)
    expect(head).toContain(`forwarded: for=127.0.0.1;host=${OURS};proto=https\r\n`)
    expect(head).toMatch(/x-request-id: [0-9a-f]{32}\r\n/)
    expect(head).toContain('constructor: kept')
    expect(head).toContain('cookie: a=b')
  })

  it('has the target byte for byte', async () => {
    await using backend = await openBackend(answering())
    await using under = await openEdge({ backend: backend.target })
    for (const target of [
      '//evil.test/x',
      '/a/../b/./c',
      '/%2e%2e/%7Euser',
      '/x?',
      '/a?b?c=%zz&d',
      '/é'.replace('é', '%c3%a9'),
    ]) {
      await sendRaw(under.httpPort, get(target))
      expect(backend.text()).toContain(`GET ${target} HTTP/1.1\r\n`)
    }
    expect(backend.connections()).toBe(1)
  })
})

describe('a body', () => {
  it('is passed on with its length, and chunks are framed anew', async () => {
    await using backend = await openBackend((socket, received) => {
      if (received.endsWith('abc') || received.endsWith('0\r\n\r\n')) socket.write(OK_ANSWER)
    })
    await using under = await openEdge({ backend: backend.target })
    const sized = `POST /s HTTP/1.1\r\nHost: ${OURS}\r\nContent-Length: 3\r\n\r\nabc`
    expect(statusOf(await sendRaw(under.httpPort, sized))).toBe(200)
    const chunked = `POST /c HTTP/1.1\r\nHost: ${OURS}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2;x=y\r\nbc\r\n0\r\nTrailer: x\r\n\r\n`
    expect(statusOf(await sendRaw(under.httpPort, chunked))).toBe(200)
    expect(backend.text()).toMatch(/content-length: 3\r\n[\s\S]*abcPOST \/c/)
    expect(backend.text()).toMatch(/transfer-encoding: chunked\r\n/i)
    expect(backend.text()).not.toMatch(/x=y|Trailer: x/)
  })

  it('is invited when the visitor asks first, but not for a request that is refused', async () => {
    await using backend = await openBackend((socket, received) => {
      if (received.endsWith('abc')) socket.write(OK_ANSWER)
    })
    await using under = await openEdge({ backend: backend.target })
    const head = (hostname: string): string =>
      `POST / HTTP/1.1\r\nHost: ${hostname}\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n`
    const visitor = connect(under.httpPort, '127.0.0.1')
    visitor.write(head(OURS))
    expect(String(await once(visitor, 'data'))).toBe('HTTP/1.1 100 Continue\r\n\r\n')
    visitor.write('abc')
    expect(statusOf(String(await once(visitor, 'data')))).toBe(200)
    expect(backend.text()).not.toMatch(/expect/i)
    visitor.destroy()
    expect(statusOf(await sendRaw(under.httpPort, head('stranger.test')))).toBe(421)
  })

  it('is never read as a request by the backend, whatever the method', async () => {
    let requests = 0
    const server = createServer((request, response) => {
      requests += 1
      request.resume()
      request.on('end', () => response.end('ok'))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' && address ? address.port : 0
    await using under = await openEdge({
      backend: { kind: 'remote', targets: [{ kind: 'tcp', host: '127.0.0.1', port }] },
    })
    const inner = get('/smuggled')
    const length = inner.length
    const bodies = [
      `Content-Length: ${length}\r\n\r\n${inner}`,
      `Transfer-Encoding: chunked\r\n\r\n${length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`,
    ]
    let good = 0
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      for (const body of bodies) {
        const bytes = `${method} / HTTP/1.1\r\nHost: ${OURS}\r\nConnection: close\r\n${body}`
        if (statusOf(await sendRaw(under.httpPort, bytes, { answers: 9 })) === 200) good += 1
      }
    }
    expect(requests).toBe(good)
    expect(good).toBe(10)
    server.closeAllConnections()
    server.close()
  })

  it('is cut off when it grows beyond the limit without a length', {
    timeout: 30_000,
  }, async () => {
    await using backend = await openBackend(() => undefined)
    await using under = await openEdge({ backend: backend.target })
    const request = httpRequest({
      port: under.httpPort,
      host: '127.0.0.1',
      method: 'POST',
      headers: { host: OURS, 'transfer-encoding': 'chunked' },
    })
    request.on('error', () => undefined)
    const chunk = Buffer.alloc(1024 * 1024)
    for (let count = 0; count < 12; count += 1) request.write(chunk)
    const [response] = await once(request, 'response')
    expect(response.statusCode).toBe(413)
    request.destroy()
  })

  it('flows both ways without piling up in memory', async () => {
    const mebibyte = Buffer.alloc(1024 * 1024, 'x')
    const server = createServer((request, response) => {
      const hash = createHash('sha256')
      request.on('data', (chunk) => hash.update(chunk))
      request.on('end', () => response.end(hash.digest('hex')))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' && address ? address.port : 0
    await using under = await openEdge({
      backend: { kind: 'remote', targets: [{ kind: 'tcp', host: '127.0.0.1', port }] },
    })
    const answer = await sendRaw(
      under.httpPort,
      Buffer.concat([
        Buffer.from(
          `POST / HTTP/1.1\r\nHost: ${OURS}\r\nContent-Length: ${8 * mebibyte.length}\r\n\r\n`,
        ),
        ...Array.from({ length: 8 }, () => mebibyte),
      ]),
    )
    const expected = createHash('sha256')
    for (let count = 0; count < 8; count += 1) expected.update(mebibyte)
    expect(answer).toContain(expected.digest('hex'))
    server.closeAllConnections()
    server.close()
  })
})

describe('the answer of a remote backend', () => {
  it('loses what concerns one hop only, and the name of its software', async () => {
    await using backend = await openBackend(
      answering(
        'HTTP/1.1 302 Found\r\nServer: secret/1.0\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=9\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nLocation: https://x.test/\r\nContent-Length: 0\r\n\r\n',
      ),
    )
    await using under = await openEdge({ backend: backend.target })
    const answer = await sendRaw(under.httpPort, get())
    expect(answer).toMatch(/^HTTP\/1\.1 302 Found/)
    expect(answer).not.toMatch(/secret|x-hop|timeout=9|connection: close/i)
    expect(answer).toMatch(/set-cookie: a=1\r\nset-cookie: b=2\r\n/i)
    expect(answer).toMatch(/location: https:\/\/x\.test\/\r\n/i)
  })

  it.each([
    ['is not HTTP', 'garbage\r\n\r\n'],
    ['has a status that is none', 'HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n'],
    ['has two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na'],
  ])('becomes a 502 when it %s', async (_, bytes) => {
    await using backend = await openBackend((socket) => socket.end(bytes))
    await using under = await openEdge({ backend: backend.target })
    const answer = await sendRaw(under.httpPort, get())
    expect(statusOf(answer)).toBe(502)
    expect(under.logLines.join()).toContain('"reason":"broken-answer"')
  })

  it('is cut off visibly when the backend breaks off in the middle', async () => {
    await using backend = await openBackend((socket) =>
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'),
    )
    await using under = await openEdge({ backend: backend.target })
    const answer = await sendRaw(under.httpPort, get(), { answers: 2 })
    expect(answer).toContain('half')
    expect(under.logLines.join()).toContain('"reason":"cut-short"')
  })

  it('is asked for once, also when the backend hangs up on a POST', async () => {
    await using backend = await openBackend((socket) => socket.destroy())
    await using under = await openEdge({ backend: backend.target })
    const answer = await sendRaw(
      under.httpPort,
      `POST / HTTP/1.1\r\nHost: ${OURS}\r\nContent-Length: 1\r\n\r\na`,
    )
    expect(statusOf(answer)).toBe(502)
    expect(backend.text().match(/POST \//g)).toHaveLength(1)
  })
})

describe('several backends', () => {
  it('take turns, and one that is down is left out', async () => {
    await using first = await openBackend(answering())
    await using second = await openBackend(answering())
    const gone = await openBackend(answering())
    await gone[Symbol.asyncDispose]()
    const targets = [first, second].map(
      ({ port }) => ({ kind: 'tcp', host: '127.0.0.1', port }) as const,
    )
    await using under = await openEdge({ backend: { kind: 'remote', targets } })
    for (let count = 0; count < 4; count += 1) await sendRaw(under.httpPort, get())
    expect(first.text().match(/GET/g)).toHaveLength(2)
    expect(second.text().match(/GET/g)).toHaveLength(2)

    const half = [{ kind: 'tcp', host: '127.0.0.1', port: gone.port } as const, ...targets]
    await using limping = await openEdge({ backend: { kind: 'remote', targets: half } })
    const statuses: number[] = []
    for (let count = 0; count < 6; count += 1) {
      statuses.push(statusOf(await sendRaw(limping.httpPort, get())))
    }
    // Nothing had been sent to it, so nobody noticed.
    expect(statuses).toEqual([200, 200, 200, 200, 200, 200])
  })

  it('may be reached over a unix socket', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'postern-edge-'))
    const path = join(folder, 'backend.sock')
    const server = createServer((request, response) => response.end(`unix ${request.url}`))
    server.listen(path)
    await once(server, 'listening')
    await using under = await openEdge({
      backend: { kind: 'remote', targets: [{ kind: 'unix', path }] },
    })
    expect(await sendRaw(under.httpPort, get('/u'))).toContain('unix /u')
    server.closeAllConnections()
    server.close()
    await rm(folder, { recursive: true })
  })
})

describe('a visitor who leaves', () => {
  it('takes the request to the backend along', async () => {
    const left = Promise.withResolvers<void>()
    await using backend = await openBackend((socket) => {
      socket.once('close', () => left.resolve())
    })
    await using under = await openEdge({ backend: backend.target })
    const visitor = connect(under.httpPort, '127.0.0.1')
    visitor.write(get())
    await expect.poll(() => backend.text()).toContain('GET /')
    visitor.destroy()
    await left.promise
    expect(under.logLines.join()).not.toContain('backend-failed')
  })
})
