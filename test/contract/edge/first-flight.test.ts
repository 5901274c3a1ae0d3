import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { duplexPair } from 'node:stream'
import { type ConnectionOptions, connect as tlsConnect } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/kernel/index.ts'
import { clientHello } from '../../support/client-hello.ts'
import { openssl } from '../../support/clients.ts'
import { aTicketKey } from '../../support/ticket-keys.ts'
import { countResumptions, visit } from '../../support/tls-visits.ts'
import { type EdgeUnderTest, OURS, openBackend, openEdge, statusOf } from './support.ts'

// An edge to which strangers come in numbers, so that it reads hellos before it makes any TLS.

/** Slower than real time: a busy machine must not end the flood. */
const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() / 50 }
const STRANGERS = 120

let under: EdgeUnderTest

beforeAll(async () => {
  under = await openEdge({ clock })
  under.edge.useTicketKeys([aTicketKey(7)])
  const alerts = await Promise.all(
    Array.from({ length: STRANGERS }, (_, n) => saysOf([clientHello(`x${n}.unknown.test`)])),
  )
  // handshake_failure, by OpenSSL.
  expect(alerts[0]?.at(-1)).toBe(40)
})
afterAll(() => under[Symbol.asyncDispose]())

describe('amid strangers', () => {
  it.each([
    ['a name that is not ours', { servername: 'stranger.test' }, 112],
    ['no name, on TLS 1.3', {}, 109],
    ['no name, on TLS 1.2', { maxVersion: 'TLSv1.2' }, 40],
    ['TLS 1.1', { servername: OURS, ...OLD() }, 70],
  ] as const)('refuses %s with an alert that says so', async (_, options, alert) => {
    const said = await saysOf([await helloOf(options)])
    expect([...said]).toEqual([21, 3, 1, 0, 2, 2, alert])
  })

  it('is understood by OpenSSL', async () => {
    const seen = await openssl(under.httpsPort, 'stranger.test')
    expect(seen.stderr).toMatch(/unrecognized name/)
    expect(under.asked.membership).toBe(0)
  })

  it('serves its own visitors as ever, and resumes their sessions', async () => {
    for (const version of ['TLSv1.3', 'TLSv1.2'] as const) {
      expect(statusOf((await visit(under.httpsPort, OURS, { maxVersion: version })).answer)).toBe(
        200,
      )
      const visits = { visits: 5, version }
      expect(await countResumptions([under.httpsPort], OURS, visits)).toBe(5)
    }
  })

  it.each([
    ['byte by byte', (hello: Buffer) => [...hello].map((byte) => Buffer.from([byte]))],
    ['in two pieces', (hello: Buffer) => [hello.subarray(0, 100), hello.subarray(100)]],
    ['in two records', (hello: Buffer) => [inTwoRecords(hello)]],
    ['in forty records', (hello: Buffer) => [inRecordsOf(Math.ceil(hello.length / 40), hello)]],
  ])('reads a hello that comes %s', async (_, cut) => {
    const said = await saysOf(cut(await helloOf({ servername: OURS })))
    // A ServerHello.
    expect([said[0], said[5]]).toEqual([22, 2])
  })

  it.each([
    ['a request in clear', Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n')],
    ['garbage', Buffer.alloc(3000, 0x41)],
    [
      'a hello of 20 KB',
      Buffer.concat([Buffer.from('1603014000010050000303', 'hex'), Buffer.alloc(16_378)]),
    ],
    ['an empty record', Buffer.from('1603010000', 'hex')],
  ])('leaves %s to OpenSSL, which ends it', async (_, bytes) => {
    // OpenSSL waits for more of some of these, until the handshake's time is over.
    const said = await saysOf([bytes], 'leaves')
    expect(said[0] ?? 21).toBe(21)
    expect(statusOf((await visit(under.httpsPort, OURS)).answer)).toBe(200)
  })

  it('lets go of a client that leaves amid its first words', async () => {
    const socket = await dial()
    socket.write(clientHello(OURS).subarray(0, 50))
    socket.end()
    await once(socket, 'close')
    await expect.poll(() => under.metric('postern_handshakes_total')).toContain('aborted')
  })
})

describe('for a backend that is told of its visitors', () => {
  it('every hello is read, and its fingerprint is told', async () => {
    await using backend = await openBackend((socket, received) => {
      if (received.endsWith('\r\n\r\n')) {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
      }
    })
    await using told = await openEdge({
      backend: backend.target,
      visitorFactsKey: 'a'.repeat(32),
    })
    for (const version of ['TLSv1.3', 'TLSv1.2'] as const) {
      const visited = await visit(told.httpsPort, OURS, { maxVersion: version })
      expect(statusOf(visited.answer)).toBe(200)
    }
    const told13 = /hello="?(t13d[0-9a-z]{6}_[0-9a-f]{12}_[0-9a-f]{12})/i
    expect(backend.text()).toMatch(told13)
    expect(backend.text()).toMatch(/hello="?t12d/)
    const refused = await openssl(told.httpsPort, 'stranger.test')
    expect(refused.stderr).toMatch(/unrecognized name/)
  })
})

function OLD() {
  return { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const
}

async function dial(): Promise<Socket> {
  const socket = connect(under.httpsPort, '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket.setNoDelay()
}

/** What the edge says to these bytes: all of it if it ends the connection, else what comes first. */
async function saysOf(
  pieces: readonly Buffer[],
  then: 'waits' | 'leaves' = 'waits',
): Promise<Buffer> {
  const socket = await dial()
  const said: Buffer[] = []
  socket.on('data', (chunk: Buffer) => said.push(chunk))
  const answered = Promise.race([once(socket, 'data'), once(socket, 'close')])
  for (const piece of pieces) {
    socket.write(piece)
    await new Promise((resolve) => setImmediate(resolve))
  }
  if (then === 'waits') await answered
  socket.destroy()
  return Buffer.concat(said)
}

/** What Node's own client sends first. */
async function helloOf(options: ConnectionOptions): Promise<Buffer> {
  const [ours, theirs] = duplexPair()
  const socket = tlsConnect({ ...options, socket: ours })
  socket.on('error', () => undefined)
  const bytes = await new Promise<Buffer>((resolve) => theirs.once('data', resolve))
  socket.destroy()
  theirs.destroy()
  return bytes
}

function inTwoRecords(hello: Buffer): Buffer {
  return inRecordsOf(Math.ceil(hello.length / 2), hello)
}

function inRecordsOf(size: number, hello: Buffer): Buffer {
  const message = hello.subarray(5)
  const records: Buffer[] = []
  for (let at = 0; at < message.length; at += size) {
    const piece = message.subarray(at, at + size)
    records.push(Buffer.from([22, 3, 1, piece.length >> 8, piece.length & 0xff]), piece)
  }
  return Buffer.concat(records)
}
