import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { OURS, openBackend, openEdge, sendRaw, statusOf } from './support.ts'

// The real limits, so these take their time: all at once.

function dial(port: number): { readonly socket: Socket; readonly text: Promise<string> } {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
  })
  socket.on('error', () => undefined)
  return { socket, text: once(socket, 'close').then(() => text) }
}

describe.concurrent('a deadline', () => {
  it('ends a handshake of which nothing came', async () => {
    await using under = await openEdge()
    await dial(under.httpsPort).text
    expect(await under.metric('postern_handshakes_total')).toContain('timeout')
  })

  it('ends a head that drips', async () => {
    await using under = await openEdge()
    const { socket, text } = dial(under.httpPort)
    socket.write(`GET / HTTP/1.1\r\nHost: ${OURS}\r\n`)
    const drip = setInterval(() => socket.write('A: b\r\n'), 500)
    expect(statusOf(await text)).toBe(408)
    clearInterval(drip)
  })

  it('ends a connection that says nothing, without a word', async () => {
    await using under = await openEdge()
    expect(await dial(under.httpPort).text).toBe('')
  })

  it('ends a connection that has nothing more to ask', async () => {
    await using under = await openEdge()
    const { socket, text } = dial(under.httpPort)
    socket.write(`GET / HTTP/1.1\r\nHost: ${OURS}\r\n\r\n`)
    expect(statusOf(await text)).toBe(200)
  })

  it('turns the silence of a backend into a 504', async () => {
    await using backend = await openBackend(() => undefined)
    await using under = await openEdge({ backend: backend.target })
    const answer = await sendRaw(under.httpPort, `GET / HTTP/1.1\r\nHost: ${OURS}\r\n\r\n`)
    expect(statusOf(answer)).toBe(504)
    expect(under.logLines.join()).toContain('"reason":"first-byte-timeout"')
  })

  it('waits for a backend that takes longer than an idle socket to it may', async () => {
    await using backend = await openBackend((socket) => {
      setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow'), 6000)
    })
    await using under = await openEdge({ backend: backend.target })
    const answer = await sendRaw(under.httpPort, `GET / HTTP/1.1\r\nHost: ${OURS}\r\n\r\n`)
    expect(answer).toContain('slow')
  })
})
