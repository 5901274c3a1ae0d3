import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { clientHello, ODD_NAMES } from '../support/client-hello.ts'
import { debianFile } from '../support/debian-file.ts'
import {
  type LimitsWorld,
  openLimitsWorld,
  processorMs,
  residentBytes,
} from '../support/limits-world.ts'
import { pebbleIsMissing, pebbleLabel } from '../support/pebble.ts'
import { eventually } from '../support/postern.ts'
import { dial, dialAndWait, gone, inParallel, keepVisiting, visit } from '../support/visitors.ts'

const run = promisify(execFile)
const MEGABYTE = 1024 * 1024

/** The time of the flood is the machine's to give. */
const HANDSHAKES = 1_000_000
const FLOOD_MS_MAX = 15 * 60_000
/** A deadline of five seconds, two for whoever looks, and one for thousands of sockets here. */
const GONE_WITHIN_MS = 5000 + 2000 + 1000
/** From 127.0.1.1 on: loopback takes any of 127.0.0.0/8 for its own. */
const addressOf = (index: number): string =>
  `127.0.${1 + Math.floor(index / 250)}.${1 + (index % 250)}`

/** Enough for the server itself; its workers are what is tried. */
const HEAP_MEGABYTES = 96

function tell(figures: Record<string, unknown>): void {
  process.stderr.write(`${JSON.stringify(figures)}\n`)
}

/** Good visitors meanwhile: what `attack` returns, and how they fared. */
async function besideVisitors<Result>(
  { postern, host, target }: LimitsWorld,
  attack: () => Promise<Result>,
) {
  const isOver = new AbortController()
  const link = { hostname: host, target }
  // From an address of its own: not one of those that share one, nor the attackers'.
  const visiting = keepVisiting({ port: postern.httpsPort, from: '127.9.9.9' }, link, isOver.signal)
  const result = await attack().finally(() => isOver.abort())
  return { result, good: await visiting }
}

describe.skipIf(pebbleIsMissing)(`limits ${pebbleLabel}`, () => {
  it('T1: a flood of unknown names costs one hash each', async () => {
    await using world = await openLimitsWorld()
    const { postern } = world
    const [worker = 0] = await world.workers()
    const quiet = (await besideVisitors(world, () => pause(10_000))).good
    const rssBefore = await residentBytes(worker)
    const orders = await world.metric('acme_')
    const until = performance.now() + FLOOD_MS_MAX
    let sent = 0
    const { good } = await besideVisitors(world, () =>
      inParallel(HANDSHAKES, 100, async (index) => {
        if (performance.now() > until) return
        const odd = ODD_NAMES[index % 10_000]
        const name = odd ?? `${randomBytes(8).toString('hex')}.unknown.test`
        await dialAndWait({ port: postern.httpsPort }, clientHello(name))
        sent += 1
      }),
    )
    const grownBytes = (await residentBytes(worker)) - rssBefore
    const refused = await world.metric('handshakes_total', 'unknown-sni')
    tell({ sent, refused, quiet, good, grownMegabytes: grownBytes / MEGABYTE })
    expect(good.failures).toBe(0)
    // Refused by the filter in memory: no store is asked about those.
    expect(refused).toBeGreaterThan(sent * 0.99)
    expect(await world.metric('acme_')).toBe(orders)
    expect(grownBytes).toBeLessThan(64 * MEGABYTE)
  })

  it.each(['-H', '-B', '-X'])('T8: slowhttptest %s hurts nobody', async (mode) => {
    const tool = await debianFile('slowhttptest', 'usr/bin/slowhttptest')
    if (tool === undefined) return
    await using world = await openLimitsWorld()
    const url = `http://127.0.0.1:${world.postern.httpPort}${world.target}`
    const { result, good } = await besideVisitors(world, () =>
      run(tool, [mode, '-c', '4000', '-r', '1000', '-i', '2', '-l', '30', '-p', '3', '-u', url]),
    )
    const summary = result.stdout
      .split('\n')
      .filter((line) => /connections|exit|closed/i.test(line))
    tell({ mode, good, summary: summary.slice(-8) })
    expect(good.failures).toBe(0)
    // Half a second where nothing else runs; the figure is told.
    expect(good.p99Ms).toBeLessThan(2000)
  })

  it('T8: thousands that say nothing, or next to nothing, from one address and from 200', async () => {
    await using world = await openLimitsWorld()
    const { httpPort, httpsPort } = world.postern
    const hello = clientHello(world.host)
    const head = Buffer.from(`GET / HTTP/1.1\r\nHost: ${world.host}\r\n${'X-A: b\r\n'.repeat(99)}`)
    const drip = (socket: Socket, bytes: Buffer): Socket => {
      let sent = 0
      const timer = setInterval(() => {
        if (sent < bytes.length) socket.write(bytes.subarray(sent, sent + 1))
        sent += 1
      }, 1000)
      socket.once('close', () => clearInterval(timer))
      return socket
    }
    for (const from of [() => '127.0.0.1', (index: number) => addressOf(index % 200)]) {
      const lives: number[] = []
      const live = async (socket: Socket): Promise<void> => {
        await Promise.race([once(socket, 'connect'), gone(socket)])
        const started = performance.now()
        socket.resume()
        await gone(socket)
        lives.push(performance.now() - started)
      }
      const { good } = await besideVisitors(world, async () => {
        await inParallel(5000, 5000, (index) => live(dial({ port: httpsPort, from: from(index) })))
        await inParallel(2000, 2000, (index) => {
          const way = { port: index % 2 ? httpPort : httpsPort, from: from(index) }
          return live(drip(dial(way), index % 2 ? head : hello))
        })
      })
      tell({ from: from(0), lives: lives.length, longestMs: Math.max(...lives), good })
      expect(good.failures).toBe(0)
      expect(Math.max(...lives)).toBeLessThan(GONE_WITHIN_MS)
    }
  })

  it('T10: 2,000 come where 256 files may be open', async () => {
    await using world = await openLimitsWorld({ through: ['prlimit', '--nofile=256'] })
    const { postern, host, target } = world
    const [worker = 0] = await world.workers()
    const before = await processorMs(worker)
    const started = performance.now()
    const { good } = await besideVisitors(world, () =>
      inParallel(2000, 2000, (index) =>
        dialAndWait({ port: postern.httpsPort, from: addressOf(index % 200) }),
      ),
    )
    const tookMs = performance.now() - started
    const busy = ((await processorMs(worker)) - before) / tookMs
    await eventually(
      () => visit({ port: postern.httpsPort }, host, target),
      ({ status }) => status === 302,
      5000,
    )
    tell({ good, tookMs, busy, shed: await world.metric('connections_shed_total') })
    expect(postern.output()).toContain('edge-descriptors-tight')
    expect((await world.workers())[0]).toBe(worker)
    expect((await postern.api(`/hosts/${host}`)).status).toBe(200)
  })

  it('T10: accept fails with EMFILE for a while', async () => {
    const strace = ['strace', '-D', '-f', '-qq', '-o', '/dev/null', '-e', 'trace=accept4']
    const inject = ['-e', 'inject=accept4:error=EMFILE:when=50..250']
    await using world = await openLimitsWorld({ through: [...strace, ...inject] })
    const { postern, host, target } = world
    const [worker = 0] = await world.workers()
    const link = { port: postern.httpsPort }
    let answered = 0
    const before = await processorMs(worker)
    const started = performance.now()
    for (let visits = 0; visits < 300; visits += 1) {
      if ((await visit(link, host, target)).status === 302) answered += 1
    }
    const busy = ((await processorMs(worker)) - before) / (performance.now() - started)
    const { good } = await besideVisitors(world, () => pause(3000))
    const idleFrom = await processorMs(worker)
    await pause(3000)
    const idle = ((await processorMs(worker)) - idleFrom) / 3000
    tell({ answered, busy, idle, good })
    expect(good.failures).toBe(0)
    expect(idle).toBeLessThan(0.5)
    expect((await world.workers())[0]).toBe(worker)
  })

  it('T11: more connections than the heap has room for', async () => {
    const env = { NODE_OPTIONS: `--max-old-space-size=${HEAP_MEGABYTES}` }
    await using world = await openLimitsWorld({ env })
    const { postern, host, target } = world
    const [worker = 0] = await world.workers()
    const rssBefore = await residentBytes(worker)
    let rssMax = 0
    // A head that does not end has to be kept, for five seconds.
    const head = Buffer.from(`GET / HTTP/1.1\r\nHost: ${host}\r\nX-A: ${'a'.repeat(15_000)}`)
    const { good } = await besideVisitors(world, () =>
      inParallel(30_000, 10_000, async (index) => {
        const socket = dial({ port: postern.httpPort, from: addressOf(index % 500) })
        socket.write(head)
        socket.resume()
        if (index % 1000 === 0) rssMax = Math.max(rssMax, await residentBytes(worker))
        await gone(socket)
      }),
    )
    const shed = (reason: string) => world.metric('connections_shed_total', reason)
    tell({
      good,
      megabytes: [rssBefore, rssMax].map((bytes) => Math.round(bytes / MEGABYTE)),
      memory: await shed('memory'),
      silent: await shed('silent'),
      full: await shed('full'),
    })
    expect((await world.workers())[0]).toBe(worker)
    await eventually(
      () => visit({ port: postern.httpsPort }, host, target),
      ({ status }) => status === 302,
      20_000,
    )
  })
})
