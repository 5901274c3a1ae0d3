import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { BACKEND_WAITING_MAX } from '../../../src/edge/limits.ts'
import { openForwarder, tcp } from './forwarder-world.ts'
import { OK_ANSWER, openBackend, type RecordingBackend } from './support.ts'

/** Answers the requests of each connection in turn; `undefined` hangs up. */
function scripted(...answers: readonly (string | undefined)[]) {
  let asked = 0
  return (socket: Socket, received: string) => {
    if (!received.endsWith('\r\n\r\n')) return
    const answer = answers[Math.min(asked, answers.length - 1)]
    asked += 1
    if (answer === undefined) socket.destroy()
    else socket.write(answer, 'latin1')
  }
}

const requestsOf = (backend: RecordingBackend) => backend.text().split('GET ').length - 1
const chunked = (...lines: readonly string[]) =>
  `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${lines.map((line) => `${line}\r\n`).join('')}`

async function goneBackend(): Promise<RecordingBackend> {
  const backend = await openBackend(() => undefined)
  await backend[Symbol.asyncDispose]()
  return backend
}

describe('a forwarder that is closed', () => {
  it('dials no more, and answers at once', async () => {
    await using backend = await openBackend(scripted(OK_ANSWER))
    await using world = openForwarder([tcp(backend)])
    await world.forwarder.close()
    expect((await world.ask().answered).head?.status).toBe(503)
    expect(backend.text()).toBe('')
  })
})

describe('what the backend is asked', () => {
  it('is written anew, and on a connection that is kept', async () => {
    await using backend = await openBackend(scripted(OK_ANSWER))
    await using world = openForwarder([tcp(backend)])
    await world.ask('/a?b').answered
    await world.ask('/c', 'HEAD').answered
    expect(backend.text()).toBe(
      ['GET /a?b', 'HEAD /c']
        .map((start) =>
          [
            `${start} HTTP/1.1`,
            'Host: email.customer.test',
            'X-Forwarded-For: 192.0.2.1',
            'X-Forwarded-Host: email.customer.test',
            'X-Forwarded-Port: 443',
            'X-Forwarded-Proto: https',
            'Forwarded: for=192.0.2.1;host=email.customer.test;proto=https',
            'Accept: */*',
            'X-Request-Id: 0123',
            'Connection: keep-alive',
            '\r\n',
          ].join('\r\n'),
        )
        .join(''),
    )
    expect(backend.connections()).toBe(1)
  })
})

describe('an answer', () => {
  it.each([
    ['with a length', OK_ANSWER, { status: 200, body: 'ok', end: 'sent' }],
    ['in chunks', chunked('2;x', 'ok', '0', ''), { status: 200, body: 'ok', end: 'sent' }],
    ['without a body', 'HTTP/1.1 204 -\r\n\r\n', { status: 204, body: '', end: 'sent' }],
    ['after hints', `HTTP/1.1 103 -\r\nA: b\r\n\r\n${OK_ANSWER}`, { status: 200, body: 'ok' }],
    ['with another protocol', 'HTTP/1.1 101 -\r\n\r\n', { status: 502 }],
    ['after endless hints', 'HTTP/1.1 100 -\r\n\r\n'.repeat(9) + OK_ANSWER, { status: 502 }],
    ['that is none', 'SSH-2.0-OpenSSH\r\n', { status: 502 }],
    ['that folds lines', 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n', { status: 502 }],
    ['with a bad chunk', chunked('x', 'ok', '0', ''), { status: 502 }],
    [
      'with a bad chunk later',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokX',
      { status: 502 },
    ],
    [
      'with a length and chunks',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok',
      { status: 502 },
    ],
  ])('%s', async (_, answer, expected) => {
    await using backend = await openBackend(scripted(answer))
    await using world = openForwarder([tcp(backend)])
    expect(await world.ask().answered).toMatchObject(expected)
  })

  it('to HEAD has the length that GET would have, and no body', async () => {
    await using backend = await openBackend(
      scripted('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n'),
    )
    await using world = openForwarder([tcp(backend)])
    const { head, body } = await world.ask('/', 'HEAD').answered
    expect([head?.length, body]).toEqual([9, ''])
    await world.ask('/', 'HEAD').answered
    expect(backend.connections()).toBe(1)
  })

  it('that ends with its connection is passed on as it comes', async () => {
    await using backend = await openBackend((socket, received) => {
      if (received.endsWith('\r\n\r\n')) socket.end('HTTP/1.1 200 OK\r\n\r\nall of it')
    })
    await using world = openForwarder([tcp(backend)])
    const seen = await world.ask().answered
    expect(seen).toMatchObject({ body: 'all of it', end: 'ended' })
    expect(seen.head?.length).toBe('unknown')
  })

  it.each([
    ['with a length', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'],
    ['in chunks', chunked('4', 'half').slice(0, -2)],
  ])('%s that stops in the middle is broken off', async (_, half) => {
    await using backend = await openBackend((socket, received) => {
      if (received.endsWith('\r\n\r\n')) socket.end(half)
    })
    await using world = openForwarder([tcp(backend)])
    expect(await world.ask().answered).toMatchObject({ body: 'half', end: 'broken-off' })
    expect(world.logLines.join()).toContain('"reason":"cut-short"')
    expect(requestsOf(backend)).toBe(1)
  })

  it('that stops in its head is a 502', async () => {
    await using backend = await openBackend((socket) => socket.end('HTTP/1.1 200 OK\r\nA: b'))
    await using world = openForwarder([tcp(backend)])
    expect(await world.ask().answered).toMatchObject({ status: 502, end: 'sent' })
  })
})

describe('a kept connection', () => {
  it.each([
    ['at once', `${OK_ANSWER}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`, 0],
    ['a moment later', OK_ANSWER, 30],
  ])('is not used again after bytes that nobody asked for, %s', async (_, answer, delayMs) => {
    const closed = Promise.withResolvers<void>()
    await using backend = await openBackend((socket) => {
      socket.write(answer)
      socket.once('close', () => closed.resolve())
      if (delayMs > 0) setTimeout(() => socket.write('HTTP/1.1 200 OK\r\n'), delayMs)
    })
    await using world = openForwarder([tcp(backend)])
    expect(await world.ask().answered).toMatchObject({ body: 'ok' })
    await closed.promise
    expect(await world.ask().answered).toMatchObject({ body: 'ok' })
    expect(backend.connections()).toBe(2)
  })

  it.each([
    ['says so', 'Connection: close\r\n', 2],
    ['is of HTTP/1.0', '', 2],
    ['is of HTTP/1.0 and promises', 'Connection: keep-alive\r\n', 1],
  ])('is not used again where the backend %s', async (why, field, connections) => {
    const version = why.includes('1.0') ? '1.0' : '1.1'
    const answer = `HTTP/${version} 200 OK\r\n${field}Content-Length: 2\r\n\r\nok`
    await using backend = await openBackend(scripted(answer))
    await using world = openForwarder([tcp(backend)])
    for (let count = 0; count < 2; count += 1) await world.ask().answered
    expect(backend.connections()).toBe(connections)
  })

  it('is closed a little before the backend would', async () => {
    const closed = Promise.withResolvers<void>()
    await using backend = await openBackend((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nKeep-Alive: timeout=20\r\nContent-Length: 0\r\n\r\n')
      socket.once('close', () => closed.resolve())
    })
    await using world = openForwarder([tcp(backend)])
    await world.ask().answered
    world.clock.move(18_000)
    await world.ask().answered
    expect(backend.connections()).toBe(1)
    world.clock.move(19_000)
    await closed.promise
  })

  it('that died is replaced, once, for a request that had no answer', async () => {
    await using backend = await openBackend(scripted(OK_ANSWER, undefined, OK_ANSWER))
    await using world = openForwarder([tcp(backend)])
    await world.ask('/first').answered
    expect(await world.ask('/second').answered).toMatchObject({ status: 200, body: 'ok' })
    expect(requestsOf(backend)).toBe(3)
    expect(world.logLines).toEqual([])
  })

  it('that died is not replaced twice', async () => {
    await using backend = await openBackend(scripted(OK_ANSWER, undefined))
    await using world = openForwarder([tcp(backend)])
    await world.ask().answered
    expect(await world.ask().answered).toMatchObject({ status: 502 })
    expect(requestsOf(backend)).toBe(3)
  })

  it('that died after a byte of the answer is not replaced', async () => {
    await using backend = await openBackend((socket, received) => {
      if (received.split('GET').length === 2) socket.write(OK_ANSWER)
      else socket.end('H')
    })
    await using world = openForwarder([tcp(backend)])
    await world.ask().answered
    expect(await world.ask().answered).toMatchObject({ status: 502 })
    expect(requestsOf(backend)).toBe(2)
  })

  it('a new one that dies gets its request once', async () => {
    await using backend = await openBackend(scripted(undefined))
    await using world = openForwarder([tcp(backend)])
    expect(await world.ask().answered).toMatchObject({ status: 502 })
    expect(requestsOf(backend)).toBe(1)
  })
})

describe('a visitor who leaves', () => {
  it.each([
    ['before the answer', ''],
    ['in the middle of it', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'],
  ])('%s takes the request along, and nothing is held against the backend', async (_, half) => {
    const asked = Promise.withResolvers<void>()
    const left = Promise.withResolvers<void>()
    await using backend = await openBackend((socket) => {
      socket.write(half)
      socket.once('close', () => left.resolve())
      asked.resolve()
    })
    await using world = openForwarder([tcp(backend)])
    const asking = world.ask()
    await asked.promise
    asking.leave()
    await left.promise
    expect(world.logLines).toEqual([])
  })
})

describe('a backend that cannot be reached', () => {
  it('is a 503 that says when to come again, and after three of them is left alone', async () => {
    const backend = await goneBackend()
    await using world = openForwarder([tcp(backend)])
    for (let count = 0; count < 5; count += 1) {
      const { status, head } = await world.ask().answered
      expect([status, head?.lines]).toEqual([503, expect.stringContaining('retry-after: 5\r\n')])
    }
    const events = world.logLines.map((line) => JSON.parse(line).event ?? JSON.parse(line).msg)
    expect(events).toEqual(['backend-failed', 'backend-failed', 'backend-paused', 'backend-failed'])
  })

  it('is asked again when its pause is over, and is back with its first answer', async () => {
    let isUp = false
    await using backend = await openBackend((socket) => {
      if (isUp) socket.write(OK_ANSWER)
      else socket.destroy()
    })
    await using world = openForwarder([tcp(backend)])
    for (let count = 0; count < 3; count += 1) await world.ask().answered
    expect(await world.ask().answered).toMatchObject({ status: 503 })
    expect(requestsOf(backend)).toBe(3)
    isUp = true
    world.clock.move(1000)
    expect(await world.ask().answered).toMatchObject({ status: 200 })
    expect(await world.ask().answered).toMatchObject({ status: 200 })
  })

  it('is given up after three seconds if it does not even refuse', async () => {
    const { port, end } = await deafServer()
    await using world = openForwarder([tcp({ port })])
    const asking = world.ask()
    world.clock.move(3000)
    expect(await asking.answered).toMatchObject({ status: 503 })
    expect(world.logLines.join()).toContain('"reason":"connect-timeout"')
    end()
  })
})

describe('a line that cannot be opened in time', () => {
  it('takes along those alone who waited as long', async () => {
    const { port, end } = await deafServer()
    await using world = openForwarder([tcp({ port })])
    const first = world.ask()
    world.clock.move(2000)
    let isOver = false
    const second = world.ask().answered.then(() => {
      isOver = true
    })
    world.clock.move(1000)
    expect(await first.answered).toMatchObject({ status: 503 })
    // The line's own end comes a moment after the word to the one who waited for it.
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(isOver).toBe(false)
    world.clock.move(2000)
    await second
    end()
  })
})

describe('a backend that says nothing', () => {
  it('is a 504 after half a minute, and a broken answer later than that', async () => {
    await using backend = await openBackend((socket, received) => {
      if (received.includes('/begins'))
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx')
    })
    await using world = openForwarder([tcp(backend)])
    const silent = world.ask('/silent')
    const begun = world.ask('/begins')
    await expect.poll(() => requestsOf(backend)).toBe(2)
    world.clock.move(30_000)
    expect(await silent.answered).toMatchObject({ status: 504 })
    world.clock.move(30_000)
    expect(await begun.answered).toMatchObject({ body: 'x', end: 'broken-off' })
  })
})

describe('several backends', () => {
  it('share the requests evenly; a dead one costs nobody anything, a silent one few', async () => {
    await using first = await openBackend(scripted(OK_ANSWER))
    await using second = await openBackend(scripted(OK_ANSWER))
    await using third = await openBackend(scripted(OK_ANSWER))
    await using silent = await openBackend(() => undefined)
    const dead = await goneBackend()
    await using world = openForwarder([first, second, dead, silent, third].map(tcp))
    // All at once, so that one of them is with the silent backend while the others are asked.
    for (let count = 0; count < 5; count += 1) world.ask()
    const statuses: number[] = []
    for (let count = 0; count < 60; count += 1) statuses.push((await world.ask().answered).status)
    expect(new Set(statuses)).toEqual(new Set([200]))
    expect(requestsOf(silent)).toBeLessThanOrEqual(3)
    const shares = [first, second, third].map(requestsOf)
    expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(3)
  })

  it('are all tried before a visitor is told that none can be reached', async () => {
    const dead = [await goneBackend(), await goneBackend()]
    await using alive = await openBackend(scripted(OK_ANSWER))
    await using world = openForwarder([...dead, alive].map(tcp))
    for (let count = 0; count < 6; count += 1) {
      expect(await world.ask().answered).toMatchObject({ status: 200 })
    }
  })
})

describe('more requests than sockets', () => {
  it('wait, then are turned away at once, and those that wait too long as well', async () => {
    await using backend = await openBackend(() => undefined)
    await using world = openForwarder([tcp(backend)], { socketsMax: 20 })
    const asked = Array.from({ length: 20 }, () => world.ask())
    await expect.poll(() => requestsOf(backend)).toBe(20)
    const waiting = Array.from({ length: BACKEND_WAITING_MAX }, () => world.ask())
    expect(await world.ask().answered).toMatchObject({ status: 503 })
    world.clock.move(3000)
    const late = await Promise.all(waiting.map(({ answered }) => answered))
    expect(new Set(late.map(({ status }) => status))).toEqual(new Set([503]))
    for (const { leave } of asked) leave()
  })
})

/** A port on which nobody takes calls any more, as if packets were lost on the way. */
async function deafServer(): Promise<{ readonly port: number; end(): void }> {
  const deaf = `require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, function () {
    require('node:fs').writeSync(1, String(this.address().port))
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000)
  })`
  const child: ChildProcess = spawn(process.execPath, ['-e', deaf], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const port = Number(String((child.stdout && (await once(child.stdout, 'data'))) ?? ''))
  const callers = Array.from({ length: 8 }, () => connect(port, '127.0.0.1'))
  for (const caller of callers) caller.on('error', () => undefined)
  return {
    port,
    end: () => {
      for (const caller of callers) caller.destroy()
      child.kill('SIGKILL')
    },
  }
}
