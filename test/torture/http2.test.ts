import { once } from 'node:events'
import { connect } from 'node:http2'
import { describe, expect, it } from 'vitest'
import { OURS, openEdge } from '../contract/edge/support.ts'
import { flood, HTTP2_ATTACKS } from '../support/http2-attacks.ts'
import { openRawHttp2 } from '../support/http2-frames.ts'

/** As often as the threats say, by ten attackers in turn who come back when they are thrown out. */
const ROUNDS = 200_000
const ATTACKERS = 10

describe('a flood over HTTP/2, at length', () => {
  it.each(HTTP2_ATTACKS)('of $name costs its sender the connection', async (attack) => {
    await using under = await openEdge()
    const before = process.memoryUsage().rss
    const stop = new AbortController()
    const times: number[] = []
    const visits = visitUntil(stop.signal, under.httpsPort, times)
    let thrownOut = 0
    for (let index = 0; index < ATTACKERS; index += 1) {
      await using raw = await openRawHttp2(under.httpsPort, OURS)
      await flood(raw, attack, { authority: OURS, rounds: ROUNDS })
      await raw.closed
      thrownOut += 1
    }
    stop.abort()
    const failed = await visits
    const worst = Math.max(...times)
    const grown = (process.memoryUsage().rss - before) / 1024 / 1024
    process.stdout.write(
      `${attack.name}: ${times.length} visits, ${failed} failed, worst ${worst.toFixed(0)} ms, ${grown.toFixed(0)} MB more\n`,
    )
    expect(thrownOut).toBe(ATTACKERS)
    expect(failed).toBe(0)
    expect(grown).toBeLessThan(100)
  })
})

/** Visits one after the other, each on a connection of its own; how many failed. */
async function visitUntil(signal: AbortSignal, port: number, times: number[]): Promise<number> {
  let failed = 0
  while (!signal.aborted) {
    const started = performance.now()
    const where = { servername: OURS, rejectUnauthorized: false }
    const session = connect(`https://127.0.0.1:${port}`, where)
    session.on('error', () => undefined)
    const stream = session.request({ ':authority': OURS })
    const response = once(stream, 'response').then(
      ([headers]) => headers[':status'] === 200,
      () => false,
    )
    if (!(await response)) failed += 1
    stream.resume()
    session.destroy()
    times.push(performance.now() - started)
  }
  return failed
}
