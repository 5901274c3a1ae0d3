import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { OURS, openEdge } from './support.ts'

const PIECE = Buffer.alloc(64 * 1024, 'x')
const PIECES = 800
/** What may lie in this process for one slow visitor, the backend and the visitor included. */
const HELD_BYTES_MAX = 8 * 1024 * 1024

/** A backend that sends 50 MB as fast as they are taken, in chunks or with a length. */
async function openSource(framing: 'chunks' | 'length') {
  let sent = 0
  const pour = async (response: ServerResponse): Promise<void> => {
    if (framing === 'length') response.setHeader('content-length', PIECE.length * PIECES)
    for (let count = 0; count < PIECES && !response.destroyed; count += 1) {
      sent += 1
      if (response.write(PIECE)) continue
      await Promise.race([once(response, 'drain'), once(response, 'close')])
    }
    response.end()
  }
  const server = createServer((_request, response) => void pour(response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  return {
    target: { kind: 'remote', targets: [{ kind: 'tcp', host: '127.0.0.1', port }] } as const,
    sent: () => sent,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

describe('a visitor who reads slowly', () => {
  it.each([
    ['in clear, with a length', 'http', 'length'],
    ['in clear, in chunks', 'http', 'chunks'],
    ['over TLS, in chunks', 'https', 'chunks'],
  ] as const)('gets all 50 MB, of which a few are held: %s', async (_, scheme, framing) => {
    await using source = await openSource(framing)
    await using under = await openEdge({ backend: source.target })
    const visitor =
      scheme === 'http'
        ? connect(under.httpPort, '127.0.0.1')
        : tlsConnect({ port: under.httpsPort, servername: OURS, rejectUnauthorized: false })
    visitor.pause()
    const before = process.memoryUsage().arrayBuffers
    visitor.write(`GET / HTTP/1.1\r\nHost: ${OURS}\r\nConnection: close\r\n\r\n`)

    let stalledAt = -1
    await expect
      .poll(
        () => {
          const isStalled = source.sent() > 0 && source.sent() === stalledAt
          stalledAt = source.sent()
          return isStalled
        },
        { interval: 300, timeout: 10_000 },
      )
      .toBe(true)
    expect(stalledAt).toBeLessThan(PIECES)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(HELD_BYTES_MAX)

    let bytes = 0
    for await (const piece of visitor) {
      bytes += piece.length
    }
    expect(bytes).toBeGreaterThan(PIECE.length * PIECES)
    expect(source.sent()).toBe(PIECES)
  })
})
