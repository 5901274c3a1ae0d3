import { expect, it } from 'vitest'
import { createHeadWriter } from '../../../../src/edge/forwarder/head-writer.ts'
import type { Arrival, Connection } from '../../../../src/edge/request/connection.ts'
import { headersForBackend } from '../../../../src/edge/request/forwarded-headers.ts'
import { fieldsOf, toHeaderLines } from '../../../../src/edge/request/header-lines.ts'
import { type Hostname, parseWireHostname } from '../../../../src/kernel/index.ts'

function host(text: string): Hostname {
  const hostname = parseWireHostname(text)
  if (!hostname) throw new TypeError(`${text} is not a hostname`)
  return hostname
}

function aConnection(wishes: Partial<Arrival> = {}): Connection {
  const arrival: Arrival = {
    secure: true,
    protocol: 'http/1.1',
    servername: undefined,
    address: '192.0.2.1',
    port: 443,
    ...wishes,
  }
  return { hostname: undefined, arrival }
}

/** The fields of a head by lower-case name. */
function fieldsFor(connection: Connection, hostname = host('a.test')) {
  const passage = { method: 'GET', target: '/x?', userAgent: '', requestId: 'id' }
  const lines = toHeaderLines('Cookie: a=b\r\n')
  const head = createHeadWriter().headFor({ ...passage, hostname, lines, connection })
  expect(head.startsWith('GET /x? HTTP/1.1\r\nHost: ')).toBe(true)
  expect(head.endsWith('\r\n\r\n')).toBe(true)
  const written = toHeaderLines(head.slice(head.indexOf('\r\n') + 2, -2))
  return Object.fromEntries(fieldsOf(written).map(([name, value]) => [name.toLowerCase(), value]))
}

it.each([
  aConnection(),
  aConnection({ secure: false, port: 80 }),
  aConnection({ address: '2001:db8::1', port: 8443 }),
])('tells a backend what the other carriers tell it', (connection) => {
  const { address, secure, port } = connection.arrival
  const facts = { hostname: host('a.test'), address, secure, port, requestId: 'id' }
  expect(fieldsFor(connection)).toEqual({
    ...headersForBackend(['Cookie', 'a=b'], { ...facts, body: 'none', upgrade: 'none' }),
    connection: 'keep-alive',
  })
})

it('names the host of each request, also on one connection', () => {
  const writer = createHeadWriter()
  const connection = aConnection({ secure: false })
  const names = ['a.test', 'b.test', 'a.test'].map((name) => {
    const passage = { method: 'GET', target: '/', userAgent: '', requestId: 'id' }
    const head = writer.headFor({
      ...passage,
      hostname: host(name),
      lines: toHeaderLines(''),
      connection,
    })
    return /Host: (.*)\r\nX-Forwarded-For: .*\r\nX-Forwarded-Host: (.*)\r\n/.exec(head)?.slice(1)
  })
  expect(names).toEqual(['a.test', 'b.test', 'a.test'].map((name) => [name, name]))
})
