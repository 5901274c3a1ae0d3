import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { aMovableClock } from '../../support/movable-clock.ts'
import { OTHER, OURS, openBackend, openEdge, sendRaw, statusOf } from './support.ts'

const SWITCHING =
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'

/** Everything that comes, until nothing more does. */
async function textOf(socket: Socket): Promise<string> {
  let text = ''
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1')
  })
  await new Promise((resolve) => socket.once('close', resolve))
  return text
}

describe('a WebSocket', () => {
  const upgrade = (hostname: string, more = ''): string =>
    `GET /ws HTTP/1.1\r\nHost: ${hostname}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Real-IP: 6.6.6.6\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n${more}\r\n`

  it('goes through to a remote backend, both ways', async () => {
    await using backend = await openBackend((socket, received) => {
      if (received.endsWith('\r\n\r\n')) {
        socket.write(
          'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
        )
      } else if (received.endsWith('ping')) socket.write('pong')
    })
    await using under = await openEdge({ backend: backend.target })
    const visitor = connect(under.httpPort, '127.0.0.1')
    visitor.write(upgrade(OURS))
    expect(String(await once(visitor, 'data'))).toMatch(/^HTTP\/1\.1 101/)
    visitor.write('ping')
    expect(String(await once(visitor, 'data'))).toBe('pong')
    expect(backend.text()).toMatch(/upgrade: websocket/i)
    expect(backend.text()).not.toContain('6.6.6.6')
    visitor.destroy()
  })

  it('is refused for hosts that are not ours, with a body, or where the backend says no', async () => {
    await using backend = await openBackend((socket) =>
      socket.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n'),
    )
    await using under = await openEdge({ backend: backend.target })
    expect(statusOf(await sendRaw(under.httpPort, upgrade('stranger.test')))).toBe(421)
    expect(
      statusOf(await sendRaw(under.httpPort, `${upgrade(OTHER, 'Content-Length: 3\r\n')}abc`)),
    ).toBe(400)
    expect(backend.text()).toBe('')
    expect(statusOf(await sendRaw(under.httpPort, upgrade(OURS)))).toBe(403)
  })

  it('that is answered otherwise gets that answer by our rules, as fast as it is read', async () => {
    const mebibyte = Buffer.alloc(1024 * 1024, 'x')
    let sent = 0
    await using backend = await openBackend((socket) => {
      socket.write(
        `HTTP/1.1 200 OK\r\nServer: secret\r\nContent-Length: ${60 * mebibyte.length}\r\n\r\n`,
      )
      const goOn = (): void => {
        while (sent < 60) {
          sent += 1
          if (socket.write(mebibyte)) continue
          socket.once('drain', goOn)
          return
        }
      }
      goOn()
    })
    await using under = await openEdge({ backend: backend.target })
    const visitor = connect(under.httpPort, '127.0.0.1')
    visitor.write(upgrade(OURS))
    const head = String(await once(visitor, 'data'))
    expect(head).toMatch(/^HTTP\/1\.1 200/)
    expect(head).not.toContain('secret')
    visitor.pause()
    let before = -1
    await expect
      .poll(
        () => {
          const isStill = sent === before
          before = sent
          return isStill
        },
        { interval: 300 },
      )
      .toBe(true)
    expect(sent).toBeLessThan(30)
    visitor.destroy()
  })

  it('that is answered otherwise, and not to the end, is broken off at once', async () => {
    await using backend = await openBackend((socket) => {
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
    })
    await using under = await openEdge({ backend: backend.target })
    const visitor = connect(under.httpPort, '127.0.0.1').on('error', () => undefined)
    visitor.write(upgrade(OURS))
    const text = await textOf(visitor)
    expect(text).toMatch(/half$/)
  })

  it('whose backend breaks leaves nothing of ours in the tunnel, and is no failure', async () => {
    await using backend = await openBackend((socket, received) => {
      if (received.endsWith('break')) socket.resetAndDestroy()
      else socket.write(`${SWITCHING}hello`)
    })
    await using under = await openEdge({ backend: backend.target })
    const visitor = connect(under.httpPort, '127.0.0.1').on('error', () => undefined)
    visitor.write(upgrade(OURS))
    visitor.once('data', () => visitor.write('break'))
    const text = await textOf(visitor)
    expect(text).toMatch(/^HTTP\/1\.1 101[\s\S]*\r\n\r\nhello$/)
    expect(under.logLines.join()).not.toContain('backend-failed')
  })

  it('gets the last words of a backend that hangs up', async () => {
    await using backend = await openBackend((socket, received) => {
      if (received.endsWith('ping')) socket.end('bye'.repeat(100_000))
      else socket.write(SWITCHING)
    })
    await using under = await openEdge({ backend: backend.target })
    const visitor = connect(under.httpPort, '127.0.0.1')
    visitor.write(`${upgrade(OURS)}ping`)
    expect((await textOf(visitor)).endsWith('bye')).toBe(true)
  })

  it('brings a backend back that nobody asks for anything else', async () => {
    let isUp = false
    await using backend = await openBackend((socket) => {
      if (isUp) socket.write(SWITCHING)
      else socket.destroy()
    })
    const clock = aMovableClock()
    await using under = await openEdge({ backend: backend.target, clock })
    for (const expected of [502, 502, 502, 503]) {
      expect(statusOf(await sendRaw(under.httpPort, upgrade(OURS)))).toBe(expected)
    }
    isUp = true
    clock.move(1000)
    const visitors = [connect(under.httpPort, '127.0.0.1'), connect(under.httpPort, '127.0.0.1')]
    for (const visitor of visitors) {
      visitor.write(upgrade(OURS))
      expect(String(await once(visitor, 'data'))).toMatch(/^HTTP\/1\.1 101/)
    }
    for (const visitor of visitors) visitor.destroy()
  })

  it('is a plain 503 when the backend is down', async () => {
    const gone = await openBackend(() => undefined)
    await gone[Symbol.asyncDispose]()
    await using under = await openEdge({ backend: gone.target })
    expect(statusOf(await sendRaw(under.httpPort, upgrade(OURS)))).toBe(503)
  })
})
