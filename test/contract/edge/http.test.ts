import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { reserveAddresses } from '../../../src/edge/index.ts'
import { type EdgeUnderTest, OTHER, OURS, openEdge, PENDING, sendRaw, statusOf } from './support.ts'

let under: EdgeUnderTest

beforeEach(async () => {
  under = await openEdge()
})
afterEach(() => under[Symbol.asyncDispose]())

const get = (hostname: string, path = '/'): string =>
  `GET ${path} HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`

/** What bare node:http accepts and we do not, each with the status it gets here. */
const REFUSED: readonly (readonly [what: string, status: number, bytes: string])[] = [
  ['two Hosts', 400, `GET / HTTP/1.1\r\nHost: ${OURS}\r\nHost: ${OURS}\r\n\r\n`],
  ['two different Hosts', 400, `GET / HTTP/1.1\r\nHost: ${OURS}\r\nHost: ${OTHER}\r\n\r\n`],
  ['no Host', 400, 'GET / HTTP/1.1\r\n\r\n'],
  ['no Host in HTTP/1.0', 400, 'GET / HTTP/1.0\r\n\r\n'],
  ['an empty Host', 400, 'GET / HTTP/1.1\r\nHost:\r\n\r\n'],
  ['a user in Host', 400, get(`u@${OURS}`)],
  ['a path in Host', 400, get(`${OURS}/b`)],
  ['a list in Host', 400, get(`${OURS}, ${OTHER}`)],
  ['a bad port in Host', 400, get(`${OURS}:port`)],
  ['a port too high in Host', 400, get(`${OURS}:65536`)],
  ['a trailing dot in Host', 400, get(`${OURS}.`)],
  ['an address as Host', 400, get('127.0.0.1')],
  ['an IPv6 address as Host', 400, get('[::1]')],
  [
    'an absolute target for another host',
    400,
    `GET http://${OTHER}/ HTTP/1.1\r\nHost: ${OURS}\r\n\r\n`,
  ],
  [
    'an absolute target with a user',
    400,
    `GET http://u@${OURS}/ HTTP/1.1\r\nHost: ${OURS}\r\n\r\n`,
  ],
  [
    'an absolute target of the other scheme',
    400,
    `GET https://${OURS}/ HTTP/1.1\r\nHost: ${OURS}\r\n\r\n`,
  ],
  ['a fragment', 400, get(OURS, '/x#f')],
  ['a quote in the target', 400, get(OURS, '/"')],
  ['angle brackets in the target', 400, get(OURS, '/<script>')],
  ['a bar in the target', 400, get(OURS, '/|')],
  ['GET *', 400, get(OURS, '*')],
  [
    'an underscore in a field name',
    400,
    `GET / HTTP/1.1\r\nHost: ${OURS}\r\nX_Forwarded_For: 1\r\n\r\n`,
  ],
  ['a byte above 0x7f in a value', 400, `GET / HTTP/1.1\r\nHost: ${OURS}\r\nX-A: caf\xe9\r\n\r\n`],
  [
    'chunked in HTTP/1.0',
    400,
    `POST / HTTP/1.0\r\nHost: ${OURS}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  ],
  [
    'chunked DELETE',
    411,
    `DELETE / HTTP/1.1\r\nHost: ${OURS}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  ],
  [
    'leading zeros in Content-Length',
    400,
    `POST / HTTP/1.1\r\nHost: ${OURS}\r\nContent-Length: 0003\r\n\r\nabc`,
  ],
  ['a body too large', 413, `POST / HTTP/1.1\r\nHost: ${OURS}\r\nContent-Length: 99999999\r\n\r\n`],
  ['HTTP/2.0 on a 1.1 connection', 505, `GET / HTTP/2.0\r\nHost: ${OURS}\r\n\r\n`],
  ['TRACE', 405, `TRACE / HTTP/1.1\r\nHost: ${OURS}\r\n\r\n`],
  ['CONNECT', 405, `CONNECT ${OURS}:443 HTTP/1.1\r\nHost: ${OURS}\r\n\r\n`],
  ['a WebDAV method', 501, `PROPFIND / HTTP/1.1\r\nHost: ${OURS}\r\n\r\n`],
  ['SOURCE / ICE/1.0', 501, `SOURCE / ICE/1.0\r\nHost: ${OURS}\r\n\r\n`],
  ['101 header fields', 431, `GET / HTTP/1.1\r\nHost: ${OURS}\r\n${'A: b\r\n'.repeat(100)}\r\n`],
  ['a head over 16 KB', 431, `GET / HTTP/1.1\r\nHost: ${OURS}\r\nA: ${'b'.repeat(17_000)}\r\n\r\n`],
  // Refused by node:http itself; here so that a release of Node that stops doing so is noticed.
  [
    'length and chunked',
    400,
    `POST / HTTP/1.1\r\nHost: ${OURS}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  ],
  [
    'chunked, identity',
    400,
    `POST / HTTP/1.1\r\nHost: ${OURS}\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
  ],
  [
    'xchunked',
    400,
    `POST / HTTP/1.1\r\nHost: ${OURS}\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
  ],
  [
    'two equal lengths',
    400,
    `POST / HTTP/1.1\r\nHost: ${OURS}\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na`,
  ],
  ['a signed length', 400, `POST / HTTP/1.1\r\nHost: ${OURS}\r\nContent-Length: +1\r\n\r\na`],
  ['a space before the colon', 400, `GET / HTTP/1.1\r\nHost : ${OURS}\r\n\r\n`],
  ['a folded line', 400, `GET / HTTP/1.1\r\nHost: ${OURS}\r\nA: b\r\n c\r\n\r\n`],
  ['a bare LF', 400, `GET / HTTP/1.1\nHost: ${OURS}\n\n`],
  ['a NUL in a value', 400, `GET / HTTP/1.1\r\nHost: ${OURS}\r\nA: b\0\r\n\r\n`],
  ['HTTP/1.2', 400, `GET / HTTP/1.2\r\nHost: ${OURS}\r\n\r\n`],
  ['an unknown method', 400, `FOO / HTTP/1.1\r\nHost: ${OURS}\r\n\r\n`],
  ['a target without slash', 400, get(OURS, 'x')],
  ['a TLS hello in clear', 400, '\x16\x03\x01\x02\x00\x01\x00'],
]

describe('a request that could be read in two ways', () => {
  it.each(REFUSED)('%s is refused with %i', async (_, status, bytes) => {
    const answer = await sendRaw(under.httpPort, bytes)
    expect(statusOf(answer)).toBe(status)
    expect(answer).toMatch(/connection: close/i)
    expect(answer).not.toMatch(/^server:/im)
    expect(answer.length).toBeLessThan(500)
    expect(under.seen).toEqual([])
  })

  it('ends its connection: what follows is not read', async () => {
    const answer = await sendRaw(under.httpPort, `${get(OURS, '/#')}${get(OURS, '/smuggled')}`, {
      answers: 2,
    })
    expect(answer.match(/HTTP\/1\.1 /g)).toHaveLength(1)
    expect(under.seen).toEqual([])
  })
})

describe('a request in clear', () => {
  it('reaches the backend with what the edge knows about it', async () => {
    const answer = await sendRaw(
      under.httpPort,
      `GET /a?b=c HTTP/1.1\r\nHost: ${OURS.toUpperCase()}:80\r\nUser-Agent: Mail\r\n\r\n`,
    )
    expect(statusOf(answer)).toBe(200)
    expect(under.seen).toEqual([
      {
        method: 'GET',
        hostname: OURS,
        target: '/a?b=c',
        address: '127.0.0.1',
        userAgent: 'Mail',
        requestId: expect.stringMatching(/^[0-9a-f]{32}$/),
        secure: false,
      },
    ])
  })

  it('is normalised when its absolute target agrees with Host', async () => {
    await sendRaw(under.httpPort, `GET http://${OURS}:80?x HTTP/1.1\r\nHost: ${OURS}\r\n\r\n`)
    expect(under.seen[0]?.target).toBe('/?x')
  })

  it('may come for several of our hosts over one connection, pipelined', async () => {
    const answer = await sendRaw(under.httpPort, get(OURS, '/1') + get(OTHER, '/2'), { answers: 2 })
    expect(answer.match(/HTTP\/1\.1 200/g)).toHaveLength(2)
    expect(under.seen.map(({ hostname, target }) => hostname + target)).toEqual([
      `${OURS}/1`,
      `${OTHER}/2`,
    ])
  })

  it('may not be sent ahead of its answers without end', async () => {
    await using slow = await openEdge({ answer: () => new Promise(() => undefined) })
    expect(await sendRaw(slow.httpPort, get(OURS).repeat(33))).toBe('')
    expect(slow.seen).toEqual([])
  })

  it('is answered even if garbage follows it', async () => {
    const answer = await sendRaw(under.httpPort, `${get(OURS)}garbage\r\n\r\n`, { answers: 2 })
    expect(answer.match(/HTTP\/1\.1 200/g)).toHaveLength(1)
  })

  it('is misdirected for a host that is not ours, without a look-up', async () => {
    expect(statusOf(await sendRaw(under.httpPort, get('stranger.test')))).toBe(421)
    expect(under.asked.membership).toBe(0)
  })

  it('is answered without its body being taken for a request', async () => {
    const inner = get(OURS, '/smuggled')
    const answer = await sendRaw(
      under.httpPort,
      `GET /outer HTTP/1.1\r\nHost: ${OURS}\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`,
      { answers: 2 },
    )
    expect(answer.match(/HTTP\/1\.1 /g)).toHaveLength(1)
    expect(under.seen.map(({ target }) => target)).toEqual(['/outer'])
  })

  it('ignores a wish to upgrade that the embedded backend cannot fulfil', async () => {
    const answer = await sendRaw(
      under.httpPort,
      `GET / HTTP/1.1\r\nHost: ${OURS}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n`,
    )
    expect(statusOf(answer)).toBe(200)
  })

  it('gets an honest page when the backend fails', async () => {
    await using broken = await openEdge({
      answer: () => Promise.reject(new Error('secret detail')),
    })
    const answer = await sendRaw(broken.httpPort, get(OURS))
    expect(statusOf(answer)).toBe(500)
    expect(answer).not.toContain('secret detail')
    expect(broken.logLines.join()).toContain('secret detail')
  })
})

describe('a challenge', () => {
  const token = 'LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0'
  const path = `/.well-known/acme-challenge/${token}`

  beforeEach(() => under.tokens.set(`${OURS}/${token}`, `${token}.thumb`))

  it('is answered for its own host, byte for byte', async () => {
    const answer = await sendRaw(under.httpPort, get(OURS, path))
    expect(answer.endsWith(`\r\n\r\n${token}.thumb`)).toBe(true)
    const head = await sendRaw(
      under.httpPort,
      `HEAD ${path} HTTP/1.1\r\nHost: ${OURS}\r\nConnection: close\r\n\r\n`,
    )
    expect(statusOf(head)).toBe(200)
  })

  it('is answered for a host that this process has not heard of yet', async () => {
    under.tokens.set(`new.test/${token}`, 'proof')
    expect(await sendRaw(under.httpPort, get('new.test', path))).toContain('proof')
    expect(statusOf(await sendRaw(under.httpPort, get('stranger.test', path)))).toBe(421)
  })

  it.each([
    '/.well-known/acme-challenge/../../etc/passwd',
    '/.well-known/acme-challenge/%2e%2e%2f%2e%2e%2fetc/passwd',
    '/.well-known/acme-challenge/..%5c..%5cetc',
    '/.well-known/acme-challenge/a%00',
    `/.well-known/acme-challenge/${'a'.repeat(10_000)}`,
    `/.well-known/acme-challenge/${token}/`,
    `/.well-known/acme-challenge//${token}`,
    `/.well-known/acme-challenge/${token}?x`,
    '/.well-known/acme-challenge/',
    '/.well-known/acme-challenge',
    `//.well-known/acme-challenge/${token}`,
    `/.well-known/%61cme-challenge/${token}`,
    `/x/../.well-known/acme-challenge/${token}`,
    `/%2ewell-known/acme-challenge/${token}`,
    `/.WELL-KNOWN/acme-challenge/${token}`,
    '/.well-known/acme-challenge/expired',
  ])('%s is nothing', async (odd) => {
    const answer = await sendRaw(under.httpPort, get(OURS, odd))
    expect(statusOf(answer)).toBe(404)
    expect(answer.slice(answer.indexOf('\r\n\r\n')).length).toBeLessThan(200)
    expect(under.seen).toEqual([])
  })

  it("is nothing under another tenant's host, or with POST", async () => {
    expect(statusOf(await sendRaw(under.httpPort, get(OTHER, path)))).toBe(404)
    const post = `POST ${path} HTTP/1.1\r\nHost: ${OURS}\r\nContent-Length: 0\r\n\r\n`
    expect(statusOf(await sendRaw(under.httpPort, post))).toBe(404)
    expect(under.seen).toEqual([])
  })
})

describe('with the policy to redirect', () => {
  it('sends visitors of hosts with a certificate to https, and no challenge', async () => {
    await using redirecting = await openEdge({ httpPolicy: 'redirect' })
    const answer = await sendRaw(redirecting.httpPort, get(OURS, '/c/x?y'))
    expect(statusOf(answer)).toBe(308)
    expect(answer).toContain(`location: https://${OURS}/c/x?y\r\n`)
    expect(statusOf(await sendRaw(redirecting.httpPort, get(PENDING)))).toBe(200)
    redirecting.tokens.set(`${OURS}/t`, 'proof')
    expect(
      await sendRaw(redirecting.httpPort, get(OURS, '/.well-known/acme-challenge/t')),
    ).toContain('proof')
  })
})

describe('draining', () => {
  it('finishes what was begun, says that it is the last, and lets idle ones go', async () => {
    const begun = Promise.withResolvers<void>()
    const finish = Promise.withResolvers<void>()
    await using slow = await openEdge({
      answer: async () => {
        begun.resolve()
        await finish.promise
        return { status: 200, headers: [], body: Buffer.from('late') }
      },
    })
    const idle = connect(slow.httpPort, '127.0.0.1')
    idle.resume()
    idle.write(`HEAD /.well-known/acme-challenge/x HTTP/1.1\r\nHost: ${OURS}\r\n\r\n`)
    await once(idle, 'data')
    const answer = sendRaw(slow.httpPort, get(OURS))
    await begun.promise
    const drained = slow.edge.drain(10_000)
    await once(idle, 'close')
    await expect(sendRaw(slow.httpPort, get(OURS))).resolves.toBe('')
    finish.resolve()
    const text = await answer
    expect(text).toMatch(/connection: close/i)
    expect(text).toContain('late')
    await drained
  })

  it('destroys what is left at its deadline', async () => {
    await using slow = await openEdge({ answer: () => new Promise(() => undefined) })
    const answer = sendRaw(slow.httpPort, get(OURS))
    await expect.poll(() => slow.seen.length).toBe(1)
    await slow.edge.drain(50)
    expect(await answer).toBe('')
    expect(slow.logLines.join()).toContain('"destroyed":1')
  })
})

describe('listening', () => {
  it('names the address that another program holds', async () => {
    const taken = [{ host: '127.0.0.1', port: under.httpPort }]
    await expect(reserveAddresses(taken)).rejects.toMatchObject({
      code: 'edge/port-in-use',
      message: `Another program already listens on 127.0.0.1:${under.httpPort}.`,
    })
    await expect(reserveAddresses([{ host: '192.0.2.1', port: 0 }])).rejects.toMatchObject({
      code: 'edge/bad-address',
    })
  })

  it('shares a reserved port between several, on IPv6 too', async () => {
    const [reserved] = await reserveAddresses([{ host: '::1', port: 0 }])
    if (!reserved) throw new TypeError('nothing was reserved')
    await using second = await openEdge()
    for (const one of [under, second]) {
      await one.edge.listen({ http: [reserved], https: [] }, { reusePort: true })
    }
    await expect(reserveAddresses([reserved])).rejects.toMatchObject({ code: 'edge/port-in-use' })
    const socket = connect(reserved.port, '::1')
    socket.write(get(OURS))
    expect(statusOf(String(await once(socket, 'data')))).toBe(200)
    expect([...under.seen, ...second.seen][0]?.address).toBe('::1')
    socket.destroy()
  })
})
