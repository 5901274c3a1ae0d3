import { createHmac, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:http2'
import { describe, expect, it } from 'vitest'
import { OURS, openBackend, openEdge, sendRaw, sendRawTls } from './support.ts'

const KEY = 'a key that edge and backend share, and nobody else'

/** What a backend does with a request: its head's fields by name, in lower case. */
function isGenuine(fields: Readonly<Record<string, string>>, now: Date): boolean {
  const visitor = fields['postern-visitor'] ?? ''
  const text = `${visitor}\n${fields['host']}\n${fields['x-request-id']}`
  const expected = createHmac('sha256', KEY).update(text).digest()
  const given = Buffer.from(fields['postern-signature']?.slice(1, -1) ?? '', 'base64')
  const age = now.getTime() / 1000 - Number(/\bat=(\d+)/.exec(visitor)?.[1])
  return given.length === expected.length && timingSafeEqual(given, expected) && age < 300
}

function fieldsIn(head: string): Record<string, string> {
  const lines = head.split('\r\n\r\n')[0]?.split('\r\n').slice(1) ?? []
  const fields: Record<string, string> = {}
  for (const line of lines) {
    const name = line.slice(0, line.indexOf(':')).toLowerCase()
    if (name in fields && name.startsWith('postern-')) throw new Error(`${name} came twice`)
    fields[name] = line.slice(line.indexOf(':') + 1).trim()
  }
  return fields
}

const CLAIMS = 'Postern-Visitor: tls=evil\r\npostern-signature: :AAAA:\r\nPostern-New: evil\r\n'

describe('a backend that shares a key', () => {
  it.each([
    ['a GET', 'GET / HTTP/1.1', ''],
    ['a POST', 'POST / HTTP/1.1', 'Content-Length: 0\r\n'],
    ['a body', 'PUT / HTTP/1.1', 'Content-Length: 4\r\n'],
  ])(
    'is told how the visitor of %s speaks TLS, and can tell it from claims',
    async (_, line, extra) => {
      await using backend = await openBackend((socket) =>
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'),
      )
      await using under = await openEdge({ backend: backend.target, visitorFactsKey: KEY })
      const body = extra.includes('4') ? 'body' : ''
      const request = `${line}\r\nHost: ${OURS}\r\n${CLAIMS}${extra}\r\n${body}`
      await sendRawTls(under.httpsPort, OURS, request)
      const fields = fieldsIn(backend.text())
      expect(fields['postern-visitor']).toMatch(
        /^at=\d+, tls=TLSv1\.3, cipher=TLS_[A-Z0-9_]+, group=X25519(?:MLKEM768)?, resumed=\?0/,
      )
      expect(isGenuine(fields, new Date())).toBe(true)
      expect(isGenuine({ ...fields, host: 'other.test' }, new Date())).toBe(false)
      expect(isGenuine(fields, new Date(Date.now() + 600_000))).toBe(false)
      expect(fields['postern-new']).toBeUndefined()
    },
  )

  it('is told of HTTP/2, whatever the method, and of no TLS at all', async () => {
    await using backend = await openBackend((socket) =>
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'),
    )
    await using under = await openEdge({ backend: backend.target, visitorFactsKey: KEY })
    const session = connect(`https://127.0.0.1:${under.httpsPort}`, {
      ...{ servername: OURS, rejectUnauthorized: false },
    })
    for (const method of ['GET', 'POST']) {
      const before = backend.text().length
      const stream = session.request({ ':authority': OURS, ':method': method }, { endStream: true })
      stream.resume()
      await once(stream, 'end')
      const fields = fieldsIn(backend.text().slice(before))
      expect(fields['postern-visitor']).toMatch(/, alpn=h2(?:,|$)/)
      expect(isGenuine(fields, new Date())).toBe(true)
    }
    session.destroy()
    const before = backend.text().length
    await sendRaw(under.httpPort, `GET / HTTP/1.1\r\nHost: ${OURS}\r\n\r\n`)
    const fields = fieldsIn(backend.text().slice(before))
    expect(fields['postern-visitor']).toMatch(/^at=\d+, tls=none$/)
    expect(isGenuine(fields, new Date())).toBe(true)
  })

  it('without one, backends are told nothing, and no claims either', async () => {
    await using backend = await openBackend((socket) =>
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'),
    )
    await using under = await openEdge({ backend: backend.target })
    await sendRawTls(under.httpsPort, OURS, `GET / HTTP/1.1\r\nHost: ${OURS}\r\n${CLAIMS}\r\n`)
    expect(backend.text()).not.toMatch(/postern-/i)
  })
})
