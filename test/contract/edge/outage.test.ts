import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../../src/kernel/index.ts'
import { openOutageWorld } from '../../support/outage-world.ts'
import { OURS, openEdge, sendRaw, sendRawTls, statusOf } from './support.ts'

type Misbehaviour = (socket: Socket) => void

/** What a backend can do wrong with a request that it has read. Refusing is done without one. */
const MISBEHAVIOURS: Readonly<Record<string, Misbehaviour>> = {
  'takes requests and says nothing': () => undefined,
  'answers 500': (socket) => socket.write('HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops'),
  'answers after a minute': (socket) => {
    const late = setTimeout(
      () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
      60_000,
    )
    socket.once('close', () => clearTimeout(late))
  },
  'dies in the middle of a body': (socket) =>
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it'),
  'stops in the middle of a body': (socket) =>
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n'),
  'resets the connection': (socket) => socket.resetAndDestroy(),
  'answers with garbage': (socket) => socket.write('\0\x01220 smtp ready\r\n\r\n'),
}

const BACK: Misbehaviour = (socket) =>
  socket.write('HTTP/1.1 302 Found\r\nLocation: https://backend.test/\r\nContent-Length: 0\r\n\r\n')

/** A backend that misbehaves as it is told, goes and comes back on one port, and notes what it saw. */
async function openUnsteadyBackend() {
  const sockets = new Set<Socket>()
  const seen: { readonly head: string; readonly whileBack: boolean }[] = []
  let behave: Misbehaviour = BACK
  const serve = (socket: Socket): void => {
    sockets.add(socket)
    let text = ''
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1')
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        seen.push({ head: text.slice(0, end + 2), whileBack: behave === BACK })
        text = text.slice(end + 4)
        behave(socket)
      }
    })
  }
  let server: Server | undefined
  const listen = async (port: number): Promise<number> => {
    server = createServer(serve).listen(port, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    return typeof address === 'object' && address ? address.port : 0
  }
  const goAway = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy()
    const closed = server && once(server, 'close')
    server?.close()
    await closed
    server = undefined
  }
  const port = await listen(0)
  return {
    port,
    /** Heads of requests that it answered properly. */
    counted: () => seen.filter(({ whileBack }) => whileBack).map(({ head }) => head),
    goAway,
    misbehave: (how: Misbehaviour) => {
      behave = how
    },
    comeBack: async () => {
      behave = BACK
      if (!server) await listen(port)
    },
    [Symbol.asyncDispose]: goAway,
  }
}

const field = (head: string, name: string): string =>
  new RegExp(`\r\n${name}: (.*)\r\n`, 'i').exec(head)?.[1] ?? ''

const ask = (target: string, method = 'GET'): string =>
  `${method} ${target} HTTP/1.1\r\nHost: ${OURS}\r\nUser-Agent: Mail/1\r\nConnection: close\r\n\r\n`

interface Timed {
  readonly answer: string
  readonly ms: number
}

/** How long this process, edge and visitors alike, stood still for the sake of others on the machine. */
function watchStalls() {
  const everyMs = 10
  let stalledMs = 0
  let lastMs = systemClock.monotonicMs()
  const watching = setInterval(() => {
    const nowMs = systemClock.monotonicMs()
    stalledMs += Math.max(0, nowMs - lastMs - 2 * everyMs)
    lastMs = nowMs
  }, everyMs)
  return { stalledMs: () => stalledMs, [Symbol.dispose]: () => clearInterval(watching) }
}

async function timed(asking: Promise<string>): Promise<Timed> {
  using stalls = watchStalls()
  const start = systemClock.monotonicMs()
  const answer = await asking
  return { answer, ms: systemClock.monotonicMs() - start - stalls.stalledMs() }
}

/** The 43 bytes, and the redirect to where the link says; each within a second. */
function expectAnswered(opens: readonly Timed[], clicks: readonly Timed[]): void {
  for (const { answer } of opens) {
    expect(answer).toMatch(/^HTTP\/1\.1 200 /)
    expect(answer.slice(answer.indexOf('\r\n\r\n') + 4)).toMatch(/^GIF89a/)
    expect(answer.slice(answer.indexOf('\r\n\r\n') + 4)).toHaveLength(43)
  }
  for (const [index, { answer }] of clicks.entries()) {
    expect(answer).toMatch(/^HTTP\/1\.1 302 /)
    expect(answer).toContain(`location: https://shop.test/${index}\r\n`)
  }
  expect(Math.max(...[...opens, ...clicks].map(({ ms }) => ms))).toBeLessThan(1000)
}

const LINKS = 5

describe('while the backend', () => {
  const cases = [['refuses connections', undefined] as const, ...Object.entries(MISBEHAVIOURS)]

  it.for(cases)('%s, links work and each hit reaches it later', async ([, how]) => {
    await using backend = await openUnsteadyBackend()
    await using world = await openOutageWorld(backend.port)
    await using under = await openEdge({ backend: world.target })
    if (how) backend.misbehave(how)
    else await backend.goAway()

    const paths = Array.from({ length: LINKS }, (_, index) => ({
      open: world.link({ hostname: OURS, kind: 'open', reference: `o${index}` }),
      click: `${world.link({
        ...{ hostname: OURS, kind: 'click', reference: `c${index}` },
        target: `https://shop.test/${index}`,
      })}?utm=1`,
    }))
    const tls = timed(sendRawTls(under.httpsPort, OURS, ask(paths[0]?.open ?? '')))
    const opens = paths.map(({ open }) => timed(sendRaw(under.httpPort, ask(open))))
    const clicks = paths.map(({ click }) => timed(sendRaw(under.httpPort, ask(click))))
    const heads = paths.map(({ open }) => timed(sendRaw(under.httpPort, ask(open, 'HEAD'))))
    expectAnswered(await Promise.all([...opens, tls]), await Promise.all(clicks))
    for (const { answer } of await Promise.all(heads)) expect(statusOf(answer)).toBe(200)

    expect(world.noted()).toBe(LINKS * 2 + 1)
    await backend.comeBack()
    await vi.waitFor(
      async () => {
        await world.settle()
        const replayed = backend.counted().filter((head) => head.includes('postern-replay: 1'))
        expect(new Set(replayed.map((head) => field(head, 'postern-hit-id'))).size).toBe(
          LINKS * 2 + 1,
        )
      },
      { timeout: 20_000, interval: 100 },
    )
    const replayed = backend.counted().filter((head) => head.includes('postern-replay: 1'))
    const wanted = [...paths.flatMap(({ open, click }) => [open, click]), paths[0]?.open]
    expect(replayed.map((head) => head.split(' ', 2)[1]).sort()).toEqual(wanted.sort())
    const times = replayed.map((head) => field(head, 'postern-hit-at'))
    expect(times).toEqual([...times].sort())
    for (const head of replayed) {
      expect(field(head, 'host')).toBe(OURS)
      expect(field(head, 'x-forwarded-for')).toBe('127.0.0.1')
      expect(field(head, 'user-agent')).toBe('Mail/1')
      expect(field(head, 'x-request-id')).toBe(field(head, 'postern-hit-id'))
    }
    expect(replayed.filter((head) => field(head, 'x-forwarded-proto') === 'https')).toHaveLength(1)
  })
})

describe('what is no signed link', () => {
  it('gets the honest page while the backend is away, and the slow answer while it is slow', async () => {
    await using backend = await openUnsteadyBackend()
    await using world = await openOutageWorld(backend.port)
    await using under = await openEdge({ backend: world.target })
    const link = world.link({ hostname: OURS, kind: 'open', reference: 'o' })
    await backend.goAway()
    for (const target of ['/', '/c/report', `${link}x`]) {
      const answer = await sendRaw(under.httpPort, ask(target))
      expect(statusOf(answer)).toBe(503)
      expect(answer).toMatch(/retry-after: \d+/i)
    }
    await backend.comeBack()
    backend.misbehave((socket) => setTimeout(() => BACK(socket), 1000))
    await vi.waitFor(
      async () => expect(statusOf(await sendRaw(under.httpPort, ask('/c/slow')))).toBe(302),
      { timeout: 10_000, interval: 200 },
    )
    expect(world.noted()).toBe(0)
  })

  it('goes to the backend as before while that answers, and nothing is owed', async () => {
    await using backend = await openUnsteadyBackend()
    await using world = await openOutageWorld(backend.port)
    await using under = await openEdge({ backend: world.target })
    const link = world.link({ hostname: OURS, kind: 'open', reference: 'o' })
    const answer = await sendRaw(under.httpPort, ask(link))
    expect(statusOf(answer)).toBe(302)
    expect(answer).toContain('https://backend.test/')
    expect(world.noted()).toBe(0)
  })
})

describe('a visitor', () => {
  it('cannot pretend to be a hit that is sent again', async () => {
    await using backend = await openUnsteadyBackend()
    await using world = await openOutageWorld(backend.port)
    await using under = await openEdge({ backend: world.target })
    const claims = 'Postern-Replay: 1\r\nPostern-Hit-Id: x\r\npostern-hit-at: y\r\n'
    await sendRaw(under.httpPort, `GET / HTTP/1.1\r\nHost: ${OURS}\r\n${claims}\r\n`)
    expect(backend.counted().join('').toLowerCase()).not.toContain('postern-')
  })
})

describe('with edge.onBackendDown = page', () => {
  it('links get the honest page, and nothing is noted down', async () => {
    await using backend = await openUnsteadyBackend()
    await using world = await openOutageWorld(backend.port)
    const { rescue: _rescue, ...target } = world.target
    await using under = await openEdge({ backend: target })
    await backend.goAway()
    const link = world.link({ hostname: OURS, kind: 'open', reference: 'o' })
    expect(statusOf(await sendRaw(under.httpPort, ask(link)))).toBe(503)
    expect(world.noted()).toBe(0)
  })
})
