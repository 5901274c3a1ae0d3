import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { NEW_CONNECTIONS_PER_ADDRESS_BURST } from '../../../src/edge/limits.ts'
import { systemClock } from '../../../src/kernel/index.ts'
import { clientHello, ODD_NAMES } from '../../support/client-hello.ts'
import { dial, dialAndWait, gone, inParallel, keepVisiting, visit } from '../../support/visitors.ts'
import { type EdgeUnderTest, OURS, openEdge } from './support.ts'

/** By OpenSSL, until so many strangers come that their hellos are read before it has them. */
const HANDSHAKE_FAILURE = Buffer.from([0x15, 0x03, 0x03, 0, 2, 2, 40])
const UNRECOGNIZED_NAME = Buffer.from([0x15, 0x03, 0x01, 0, 2, 2, 112])
/** Far below every other limit; how exactly the deadlines are kept is measured by `npm run torture`. */
const GONE_WITHIN_MS = 30_000

function shedBy(reason: string, metric: string): number {
  const all: { values: { labels: { reason?: string }; value: number }[] } = JSON.parse(metric)
  return all.values.find(({ labels }) => labels.reason === reason)?.value ?? 0
}

async function shed(under: EdgeUnderTest, reason: string): Promise<number> {
  return shedBy(reason, await under.metric('postern_connections_shed_total'))
}

/** A connection that has asked once and waits to ask again. */
async function idler({ httpsPort }: EdgeUnderTest): Promise<Socket> {
  const socket = tlsConnect({
    port: httpsPort,
    host: '127.0.0.1',
    servername: OURS,
    rejectUnauthorized: false,
  })
  socket.on('error', () => undefined)
  socket.write(`GET / HTTP/1.1\r\nHost: ${OURS}\r\n\r\n`)
  await once(socket, 'data')
  return socket
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20))
}

describe('a flood of names that nobody has', () => {
  it('asks nobody, and visitors of known hosts are served meanwhile', async () => {
    await using under = await openEdge()
    await visit({ port: under.httpsPort }, OURS)
    const asked = { ...under.asked }
    const flood = new AbortController()
    const visiting = keepVisiting({ port: under.httpsPort }, { hostname: OURS }, flood.signal)
    await inParallel(1500, 50, async (index) => {
      const odd = ODD_NAMES[index % 100]
      const name = odd ?? `${randomBytes(8).toString('hex')}.unknown.test`
      const answer = await dialAndWait({ port: under.httpsPort }, clientHello(name))
      if (!odd) expect([HANDSHAKE_FAILURE, UNRECOGNIZED_NAME]).toContainEqual(answer)
    })
    flood.abort()
    const { visits, failures } = await visiting
    expect(failures).toBe(0)
    expect(under.asked.membership - asked.membership).toBeLessThanOrEqual(visits)
    expect(under.asked.certificates - asked.certificates).toBeLessThanOrEqual(visits)
    expect(under.seen).toHaveLength(visits + 1)
  })
})

describe('an address', () => {
  it('that comes too often is turned away before TLS, and nobody else is', async () => {
    // All come in the same moment, however long that takes here.
    const clock = { ...systemClock, monotonicMs: () => 0 }
    await using under = await openEdge({ sharedAddresses: '', clock })
    const way = { port: under.httpPort, from: '127.0.0.2' }
    const come = async (): Promise<void> => {
      const socket = dial(way)
      await Promise.race([once(socket, 'connect'), gone(socket)])
      socket.destroy()
    }
    await inParallel(NEW_CONNECTIONS_PER_ADDRESS_BURST, 50, come)
    expect(await shed(under, 'address-rate')).toBe(0)
    await come()
    await until(async () => (await shed(under, 'address-rate')) > 0)
    expect(await dialAndWait(way, Buffer.from('GET / HTTP/1.1\r\n\r\n'))).toHaveLength(0)
    expect(await shed(under, 'full')).toBe(0)
    expect((await visit({ port: under.httpsPort, from: '127.0.0.3' }, OURS)).status).toBe(200)
  })
})

describe.concurrent('connections that are slow', () => {
  it('end in time, and visitors are served meanwhile', async () => {
    await using under = await openEdge()
    const attack = new AbortController()
    const visiting = keepVisiting({ port: under.httpsPort }, { hostname: OURS }, attack.signal)
    const started = performance.now()
    const hello = clientHello(OURS)
    const head = Buffer.from(`GET / HTTP/1.1\r\nHost: ${OURS}\r\n${'X-A: b\r\n'.repeat(100)}`)
    const drip = (socket: Socket, bytes: Buffer): Socket => {
      let sent = 0
      const timer = setInterval(() => {
        if (sent < bytes.length) socket.write(bytes.subarray(sent, sent + 1))
        sent += 1
      }, 500)
      socket.once('close', () => clearInterval(timer))
      return socket
    }
    const { httpPort, httpsPort } = under
    const slow = Array.from({ length: 100 }, () => [
      dial({ port: httpsPort }),
      dial({ port: httpPort }),
      drip(dial({ port: httpsPort }), hello),
      drip(dial({ port: httpPort }), head),
    ]).flat()
    for (const socket of slow) socket.resume()
    await Promise.all(slow.map(gone))
    expect(performance.now() - started).toBeLessThan(GONE_WITHIN_MS)
    attack.abort()
    const { visits, failures } = await visiting
    expect(visits).toBeGreaterThan(10)
    expect(failures).toBe(0)
  })
})

describe.concurrent('where there is no room', () => {
  it('who is idle makes room, who is served stays, and beyond that newcomers are turned away', async () => {
    const answers: (() => void)[] = []
    // Half of these are kept for other things.
    await using under = await openEdge({
      resources: { descriptors: 40 },
      answer: async ({ target }) => {
        if (target === '/slow') await new Promise<void>((resolve) => answers.push(resolve))
        return { status: 200, headers: [], body: Buffer.alloc(0) }
      },
    })
    const idlers = await Promise.all(Array.from({ length: 20 }, () => idler(under)))
    const served = Array.from({ length: 20 }, () => visit({ port: under.httpsPort }, OURS, '/slow'))
    await Promise.all(idlers.map(gone))
    await until(() => answers.length === 20)
    expect(await shed(under, 'idle')).toBe(20)

    expect((await visit({ port: under.httpsPort }, OURS)).status).toBe(0)
    expect(await shed(under, 'full')).toBe(1)
    for (const answer of answers) answer()
    expect((await Promise.all(served)).map(({ status }) => status)).toEqual(served.map(() => 200))
    expect((await visit({ port: under.httpsPort }, OURS)).status).toBe(200)
    expect(under.logLines.join()).toContain('edge-descriptors-tight')
  })

  it('says so when it lasts, once', async () => {
    let hasDescriptors = false
    await using under = await openEdge({ resources: { hasDescriptors: () => hasDescriptors } })
    await until(() => under.shortages.length > 0)
    hasDescriptors = true
    await until(() => under.shortages.length > 1)
    expect(under.shortages).toEqual(['descriptors began', 'descriptors ended'])
  })

  it('of descriptors, those that are idle give theirs back', async () => {
    let hasDescriptors = true
    await using under = await openEdge({ resources: { hasDescriptors: () => hasDescriptors } })
    const resting = await idler(under)
    hasDescriptors = false
    await gone(resting)
    expect(await shed(under, 'idle')).toBe(1)
  })
})

describe.concurrent('where memory is nearly used up', () => {
  it('nobody new is let in, idle ones end, what can be had again is let go, and then it goes on', async () => {
    let rss = 0
    await using under = await openEdge({
      resources: { memory: { rss: 1000, heap: 1000 }, memoryUse: () => ({ rss, heap: 0 }) },
    })
    const resting = await idler(under)
    rss = 950
    await gone(resting)
    expect(under.shortages).toEqual(['relieve'])
    expect((await visit({ port: under.httpsPort }, OURS)).status).toBe(0)
    expect(await shed(under, 'memory')).toBe(1)
    rss = 700
    await until(async () => (await visit({ port: under.httpsPort }, OURS)).status === 200)
  })
})
