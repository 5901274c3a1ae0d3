import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { READ_WINDOW_MS, SHED_LOOK_MS_MIN } from '../../../src/edge/limits.ts'
import { createSeats, type Seats } from '../../../src/edge/listen/seats.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'

/** Both ends of a connection whose server side has a seat and has been asked for something large. */
interface Served extends AsyncDisposable {
  readonly seats: Seats
  readonly shed: string[]
  readonly socket: Socket
  readonly visitor: Socket
  readonly answer: { isOver: boolean }
}

/** More than the kernel's buffers on both sides take. */
const MUCH = Buffer.alloc(32 * 1024 * 1024)

async function serve(): Promise<Served> {
  const shed: string[] = []
  const seats = createSeats({
    onShed: (reason) => shed.push(reason),
    random: createSeededRandom(),
  })
  const server = createServer({ pauseOnConnect: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const accepted = once(server, 'connection')
  const visitor = connect(port, '127.0.0.1')
  visitor.on('error', () => undefined)
  const [socket]: Socket[] = await accepted
  if (!socket) throw new TypeError('Nobody came')
  socket.on('error', () => undefined)
  seats.take(socket, 0, () => undefined)
  const answer = { isOver: false }
  seats.of(socket, 0)?.serves(answer)
  return {
    ...{ seats, shed, socket, visitor, answer },
    [Symbol.asyncDispose]: async () => {
      visitor.destroy()
      socket.destroy()
      server.close()
    },
  }
}

/** Writes until the kernel takes no more; what is returned waits for the visitor to read. */
async function fill(socket: Socket): Promise<{ readonly wait: Promise<void> }> {
  for (;;) {
    const wait = new Promise<void>((resolve) => {
      socket.write(MUCH.subarray(0, 256 * 1024), () => resolve())
    })
    const soon = new Promise<'waits'>((resolve) => setTimeout(() => resolve('waits'), 10))
    if ((await Promise.race([wait, soon])) === 'waits') return { wait }
  }
}

describe('a visitor who does not read its answer', () => {
  it('is ended after a while', async () => {
    await using served = await serve()
    served.socket.write(MUCH)
    served.seats.look(1000)
    served.seats.look(1000 + READ_WINDOW_MS - 1)
    expect(served.shed).toEqual([])
    served.seats.look(1000 + READ_WINDOW_MS)
    expect(served.shed).toEqual(['slow-reader'])
    expect(served.seats.size).toBe(0)
  })

  it('is ended for others much sooner', async () => {
    await using served = await serve()
    served.socket.write(MUCH)
    served.seats.look(1000)
    // Whoever found nobody looks again a twentieth of a second later.
    expect(served.seats.shed(1, 6000 - SHED_LOOK_MS_MIN)).toBe(0)
    expect(served.seats.shed(1, 6000)).toBe(1)
    expect(served.shed).toEqual(['stalled'])
  })
})

describe('a visitor who asks again and again while one answer is open', () => {
  it('has only so many of the others remembered', async () => {
    await using served = await serve()
    let looks = 0
    const over = {
      get isOver() {
        looks += 1
        return true
      },
    }
    const seat = served.seats.of(served.socket, 0)
    for (let count = 0; count < 10_000; count += 1) seat?.serves(over)
    expect(looks).toBeLessThan(50_000)
    looks = 0
    served.answer.isOver = true
    expect(served.seats.shed(1, 60_000)).toBe(1)
    expect(looks).toBeLessThanOrEqual(200)
  })
})

describe('a visitor who reads its answer', () => {
  it('piece by piece, is left alone however long it takes', async () => {
    await using served = await serve()
    served.visitor.pause()
    let waiting = await fill(served.socket)
    served.seats.look(0)
    for (let looks = 1; looks <= 5; looks += 1) {
      served.visitor.resume()
      await waiting.wait
      served.visitor.pause()
      waiting = await fill(served.socket)
      served.seats.look(looks * READ_WINDOW_MS)
    }
    expect(served.shed).toEqual([])
  })

  it('to its end, is idle from then on, and was not before', async () => {
    await using served = await serve()
    served.visitor.resume()
    await new Promise<void>((resolve) => {
      served.socket.write(MUCH, () => resolve())
    })
    served.seats.look(1000)
    expect(served.seats.shed(1, 60_000)).toBe(0)
    served.answer.isOver = true
    expect(served.seats.shed(1, 60_000 + SHED_LOOK_MS_MIN)).toBe(1)
    expect(served.shed).toEqual(['idle'])
  })
})
