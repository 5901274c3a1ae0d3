import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as after } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { OURS, openEdge } from './support.ts'

// The field makes node:http read it, and not the gate.
const ASKED = `GET / HTTP/1.1\r\nhost:${OURS}\r\n\r\n`

describe('a process that winds down', () => {
  it('lets an answer be read to its end that waits in the socket', async () => {
    const body = Buffer.alloc(20 * 1024 * 1024, 'x')
    await using under = await openEdge({ answer: async () => ({ status: 200, headers: [], body }) })
    const visitor = connect(under.httpPort, '127.0.0.1')
    visitor.write(ASKED)
    await once(visitor, 'data')
    visitor.pause()
    const seen = visitor.bytesRead
    const drained = under.edge.drain(10_000)
    await after(100)
    visitor.resume()
    await expect.poll(() => visitor.bytesRead).toBeGreaterThan(body.length)
    expect(seen).toBeLessThan(body.length)
    visitor.destroy()
    await drained
  })

  it('ends connections at once that wait for nothing', async () => {
    await using under = await openEdge()
    const visitor = connect(under.httpPort, '127.0.0.1')
    visitor.write(ASKED)
    await once(visitor, 'data')
    visitor.resume()
    const began = performance.now()
    await Promise.all([once(visitor, 'close'), under.edge.drain(10_000)])
    expect(performance.now() - began).toBeLessThan(2000)
  })
})

describe('a body that nobody wants', () => {
  it('is read for a moment, so that its sender can read why', async () => {
    await using under = await openEdge()
    const visitor = connect(under.httpPort, '127.0.0.1')
    const errors: Error[] = []
    visitor.on('error', (error) => errors.push(error))
    // Does not read before all is sent, like many a library.
    visitor.pause()
    visitor.write(`POST / HTTP/1.1\r\nHost: ${OURS}\r\nContent-Length: 50000000\r\n\r\n`)
    for (let count = 0; count < 20 && !visitor.destroyed; count += 1) {
      visitor.write(Buffer.alloc(64 * 1024, 'x'))
      await after(5)
    }
    let text = ''
    visitor.on('data', (bytes) => {
      text += bytes.toString('latin1')
    })
    visitor.resume()
    await once(visitor, 'close')
    expect(errors).toEqual([])
    expect(text).toMatch(/^HTTP\/1\.1 413/)
  })

  it('is not read for longer than that', async () => {
    await using under = await openEdge()
    const visitor = connect({ port: under.httpPort, host: '127.0.0.1', allowHalfOpen: true }).on(
      'error',
      () => undefined,
    )
    visitor.resume()
    visitor.write(`POST / HTTP/1.1\r\nHost: ${OURS}\r\nContent-Length: 50000000\r\n\r\n`)
    const drip = setInterval(() => visitor.write('x'), 50)
    const began = performance.now()
    await new Promise((resolve) => visitor.once('close', resolve))
    clearInterval(drip)
    expect(performance.now() - began).toBeLessThan(3000)
  })
})
