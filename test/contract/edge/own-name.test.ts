import { connect } from 'node:http2'
import { type ConnectionOptions, connect as tlsConnect } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aTicketKey } from '../../support/ticket-keys.ts'
import {
  type EdgeUnderTest,
  OTHER,
  OURS,
  openBackend,
  openEdge,
  sendRaw,
  sendRawTls,
  statusOf,
} from './support.ts'

const EDGE = OTHER
const CHECK = '/.well-known/postern/tls'

let under: EdgeUnderTest

beforeAll(async () => {
  under = await openEdge({ name: EDGE })
  under.edge.useTicketKeys([aTicketKey(7)])
})
afterAll(() => under[Symbol.asyncDispose]())

const get = (path: string, host = EDGE, method = 'GET'): string =>
  `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`

/** What is told to a client that wants TLS to be like this; asked twice, the second time resumed. */
async function told(options: ConnectionOptions): Promise<readonly Record<string, unknown>[]> {
  const where = { port: under.httpsPort, host: '127.0.0.1', servername: EDGE }
  const socket = tlsConnect({ ...where, rejectUnauthorized: false, ...options })
  const tickets: Buffer[] = []
  socket.on('session', (ticket) => tickets.push(ticket))
  const first = await ask(socket)
  // It comes before the answer or not at all: an edge without keys gives none.
  const session = tickets.at(-1)
  if (!session) throw new TypeError('There was no ticket')
  const again = { ...where, rejectUnauthorized: false, ...options, session }
  return [first, await ask(tlsConnect(again))]
}

async function ask(socket: ReturnType<typeof tlsConnect>): Promise<Record<string, unknown>> {
  socket.write(get(CHECK))
  let text = ''
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`Ended amid the answer: ${text}`)))
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      if (text.endsWith('}\n')) resolve()
    })
  })
  socket.destroy()
  return JSON.parse(text.slice(text.indexOf('\r\n\r\n')))
}

describe('the edge name', () => {
  it.each([
    ['TLSv1.3', 'X25519MLKEM768', 'X25519MLKEM768'],
    ['TLSv1.3', 'X25519', 'X25519'],
    ['TLSv1.3', 'P-256', 'P-256'],
    ['TLSv1.3', 'P-384', 'P-384'],
    ['TLSv1.2', 'X25519:P-256', 'X25519'],
  ] as const)(
    'tells a visitor on %s with %s what was agreed on',
    async (version, curves, group) => {
      const [first, second] = await told({ maxVersion: version, ecdhCurve: curves })
      const common = {
        secure: true,
        version,
        alpn: null,
        required: { version: 'TLSv1.2 or newer' },
      }
      expect(first).toMatchObject({ ...common, resumed: false, keyExchange: group })
      expect(first?.['cipher']).toMatch(/^TLS_[A-Z0-9_]+$/)
      // A resumed session of TLS 1.2 agrees on no new keys.
      const again = version === 'TLSv1.3' ? group : null
      expect(second).toMatchObject({ ...common, resumed: true, keyExchange: again })
    },
  )

  it('tells it over HTTP/2', async () => {
    const session = connect(`https://127.0.0.1:${under.httpsPort}`, {
      ...{ servername: EDGE, rejectUnauthorized: false },
    })
    const stream = session.request({ ':authority': EDGE, ':path': `${CHECK}?x` })
    let text = ''
    for await (const chunk of stream) text += chunk
    session.destroy()
    expect(JSON.parse(text)).toMatchObject({ secure: true, alpn: 'h2', version: 'TLSv1.3' })
  })

  it('tells a visitor in clear that nothing was agreed on', async () => {
    const answer = await sendRaw(under.httpPort, get(CHECK))
    expect(answer).toMatch(/^content-type: application\/json\r$/im)
    expect(answer).toContain('"secure": false')
  })

  it('answers everything else with a small page, and asks no backend', async () => {
    const wants = [
      ['/', 'GET', 404],
      ['/l/link', 'GET', 404],
      [`${CHECK}/x`, 'GET', 404],
      [CHECK, 'DELETE', 405],
      ['/.well-known/acme-challenge/none', 'GET', 404],
    ] as const
    for (const [path, method, status] of wants) {
      const answer = await sendRawTls(under.httpsPort, EDGE, get(path, EDGE, method))
      expect([path, statusOf(answer)]).toEqual([path, status])
    }
    expect(under.seen).toEqual([])
  })

  it('is no other host: there the same path is the backend’s', async () => {
    await using backend = await openBackend((socket) =>
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine'),
    )
    await using far = await openEdge({ name: EDGE, backend: backend.target })
    expect(await sendRawTls(far.httpsPort, OURS, get(CHECK, OURS))).toMatch(/mine$/)
    expect(statusOf(await sendRawTls(far.httpsPort, EDGE, get('/')))).toBe(404)
    expect(backend.text().match(/^GET /gm)).toHaveLength(1)
  })
})
