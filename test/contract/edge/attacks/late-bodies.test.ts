import { once } from 'node:events'
import { connect } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { expect, it } from 'vitest'
import { OURS, openBackend, openEdge, sendRaw, statusOf } from '../support.ts'

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

// node:http hands such a request over before its body has come, on a stream that is not the socket.
it.each([
  [
    'an upgrade with a length',
    'GET',
    'Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 3',
  ],
  ['an upgrade with chunks', 'GET', 'Upgrade: websocket\r\nTransfer-Encoding: chunked'],
  ['a CONNECT with a length', 'CONNECT', 'Content-Length: 3'],
  ['a CONNECT with chunks', 'CONNECT', 'Transfer-Encoding: chunked'],
])('%s whose body comes later is refused, and nothing else happens', async (_, method, lines) => {
  await using backend = await openBackend((socket) => socket.write(ANSWER))
  await using under = await openEdge({ backend: backend.target })
  const visitor = connect(under.httpPort, '127.0.0.1')
  const target = method === 'GET' ? '/' : `${OURS}:443`
  visitor.write(`${method} ${target} HTTP/1.1\r\nHost: ${OURS}\r\n${lines}\r\n\r\n`)
  expect(statusOf(String(await once(visitor, 'data')))).toBeGreaterThanOrEqual(400)
  visitor.on('error', () => visitor.destroy())
  visitor.write('abc')
  await once(visitor, 'close')
  expect(backend.text()).toBe('')
  const other = `GET / HTTP/1.1\r\nHost: ${OURS}\r\n\r\n`
  expect(statusOf(await sendRaw(under.httpPort, other))).toBe(200)
})

const HIDDEN = `GET /hidden HTTP/1.1\r\nHost: ${OURS}\r\n\r\n`
const TURNS_MAX = 12

// The rest of a body is read on for a moment, so that the refusal arrives: for nobody.
it.each(['http', 'https'] as const)(
  'a request behind a refused one is not carried, over %s, whenever the rest of that one comes',
  async (over) => {
    await using backend = await openBackend((socket) => socket.write(ANSWER))
    await using under = await openEdge({ backend: backend.target })
    for (let turns = 0; turns <= TURNS_MAX; turns += 1) {
      const host = '127.0.0.1'
      const visitor =
        over === 'http'
          ? connect(under.httpPort, host)
          : connectTls({ port: under.httpsPort, host, servername: OURS, rejectUnauthorized: false })
      visitor.setNoDelay().on('error', () => visitor.destroy())
      await once(visitor, over === 'http' ? 'connect' : 'secureConnect')
      const closed = once(visitor.resume(), 'close')
      visitor.write(`SEARCH / HTTP/1.1\r\nHost: ${OURS}\r\nContent-Length: 6\r\n\r\nabc`)
      for (let count = 0; count < turns; count += 1) await turn()
      if (visitor.writable) visitor.write(`def${HIDDEN}`)
      await closed
      expect([turns, backend.text()]).toEqual([turns, ''])
    }
  },
)
