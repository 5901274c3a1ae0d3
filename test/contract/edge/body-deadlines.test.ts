import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { aMovableClock } from '../../support/movable-clock.ts'
import { OURS, openBackend, openEdge, sendRaw, statusOf } from './support.ts'

const POST = `POST / HTTP/1.1\r\nHost: ${OURS}\r\nContent-Length: 4\r\n\r\n`
const MEBIBYTE = Buffer.alloc(1024 * 1024, 'x')

async function openWorld(onData: (socket: Socket, received: string) => void) {
  const backend = await openBackend(onData)
  const clock = aMovableClock()
  const under = await openEdge({ backend: backend.target, clock })
  return {
    ...{ backend, clock, under },
    [Symbol.asyncDispose]: async () => {
      await under[Symbol.asyncDispose]()
      await backend[Symbol.asyncDispose]()
    },
  }
}

const closing = (socket: Socket) => new Promise((resolve) => socket.once('close', resolve))

describe('a request with a body', () => {
  it('is a 504 when the backend says nothing for half a minute', async () => {
    await using world = await openWorld(() => undefined)
    const answer = sendRaw(world.under.httpPort, `${POST}body`)
    await expect.poll(() => world.backend.text()).toContain('body')
    world.clock.move(30_000)
    expect(statusOf(await answer)).toBe(504)
    expect(world.under.logLines.join()).toContain('"reason":"first-byte-timeout"')
  })

  it('whose visitor does not send on is nothing against the backend', async () => {
    await using world = await openWorld(() => undefined)
    const visitor = connect(world.under.httpPort, '127.0.0.1')
    visitor.write(`${POST}bo`)
    await expect.poll(() => world.backend.text()).toMatch(/bo$/)
    world.clock.move(66_000)
    await closing(visitor)
    expect(world.under.logLines.join()).not.toContain('backend-failed')
  })

  it('whose visitor does not read on is nothing against the backend', async () => {
    const given = Promise.withResolvers<unknown>()
    await using world = await openWorld((socket, received) => {
      if (!received.endsWith('body')) return
      socket.once('close', given.resolve)
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${60 * MEBIBYTE.length}\r\n\r\n`)
      for (let count = 0; count < 60; count += 1) socket.write(MEBIBYTE)
    })
    const visitor = connect(world.under.httpPort, '127.0.0.1').on('error', () => undefined)
    visitor.write(`${POST}body`)
    await once(visitor, 'data')
    visitor.pause()
    let last = -1
    const hasStopped = () => {
      const before = last
      last = visitor.bytesRead
      return last === before
    }
    await expect.poll(hasStopped, { interval: 300 }).toBe(true)
    const closed = closing(visitor)
    world.clock.move(66_000)
    await given.promise
    visitor.resume()
    await closed
    expect(visitor.bytesRead).toBeLessThan(60 * MEBIBYTE.length)
    expect(world.under.logLines.join()).not.toContain('backend-failed')
  })
})
