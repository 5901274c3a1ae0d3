import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Clock } from '../../../src/kernel/index.ts'
import { aMovableClock } from '../../support/movable-clock.ts'
import { aTicketKey } from '../../support/ticket-keys.ts'
import { countResumptions, visit } from '../../support/tls-visits.ts'
import { type EdgeUnderTest, OTHER, OURS, openEdge, statusOf } from './support.ts'

const HOUR = 3_600_000

let clock: Clock & { move(ms: number): void }
let first: EdgeUnderTest
let second: EdgeUnderTest

beforeEach(async () => {
  clock = aMovableClock()
  first = await openEdge({ clock })
  second = await openEdge({ clock })
  for (const { edge } of [first, second]) edge.useTicketKeys([aTicketKey(1)])
})
afterEach(async () => {
  await first[Symbol.asyncDispose]()
  await second[Symbol.asyncDispose]()
})

/** Of the first epoch, which has begun, and the second, which begins in an hour. */
const twoEpochs = () => {
  const now = clock.now().getTime()
  return [
    aTicketKey(1, { sealsFromMs: now, opensUntilMs: now + 3 * HOUR }),
    aTicketKey(2, { sealsFromMs: now + HOUR, opensUntilMs: now + 4 * HOUR }),
  ]
}

describe('a client that uses each ticket once', () => {
  it.each(['TLSv1.3', 'TLSv1.2'] as const)(
    'resumes each time on %s, from one process to the other',
    async (version) => {
      const ports = [first.httpsPort, second.httpsPort]
      expect(await countResumptions(ports, OURS, { visits: 20, version })).toBe(20)
    },
  )

  it('does so among others, of both versions', async () => {
    const ports = [first.httpsPort, second.httpsPort]
    const resumed = await Promise.all(
      (['TLSv1.3', 'TLSv1.2', 'TLSv1.3', 'TLSv1.2', 'TLSv1.3', 'TLSv1.2'] as const).map((version) =>
        countResumptions(ports, OURS, { visits: 10, version }),
      ),
    )
    expect(resumed).toEqual([10, 10, 10, 10, 10, 10])
  })

  it('is given one ticket to begin with, and not two', async () => {
    expect((await visit(first.httpsPort, OURS)).tickets).toHaveLength(1)
  })

  it('is given a new ticket with each resumption', async () => {
    const { tickets } = await visit(first.httpsPort, OURS)
    const session = tickets.at(-1)
    const again = await visit(second.httpsPort, OURS, session ? { session } : {})
    expect(again).toMatchObject({ isResumed: true })
    expect(again.tickets).toHaveLength(1)
    expect(again.tickets[0]).not.toEqual(session)
  })
})

describe('a rotation', () => {
  it('costs nobody a session: earlier keys open, and the next one does before its time', async () => {
    for (const { edge } of [first, second]) edge.useTicketKeys(twoEpochs())
    const old = await ticketOf(first)
    clock.move(HOUR)
    expect(await isResumed(second, old)).toBe(true)
    // Clocks differ: this one is a little ahead of the other node's.
    const fresh = await ticketOf(first)
    clock.move(-1000)
    expect(await isResumed(second, fresh)).toBe(true)
  })

  it('refuses a ticket whose key is past its time, and hands out one that opens', async () => {
    for (const { edge } of [first, second]) edge.useTicketKeys(twoEpochs())
    const old = await ticketOf(first)
    clock.move(3 * HOUR)
    const visited = await visit(first.httpsPort, OURS, { session: old })
    expect(visited.isResumed).toBe(false)
    expect(statusOf(visited.answer)).toBe(200)
    expect(await isResumed(second, lastOf(visited.tickets))).toBe(true)
  })

  it('refuses a ticket whose key was taken away', async () => {
    const old = await ticketOf(first)
    first.edge.useTicketKeys([aTicketKey(2)])
    first.edge.useTicketKeys([aTicketKey(3)])
    for (const version of ['TLSv1.3', 'TLSv1.2'] as const) {
      const seen = await visit(first.httpsPort, OURS, { session: old, maxVersion: version })
      expect(seen.isResumed).toBe(false)
    }
  })

  it('never happens while no other key is known: the last one goes on past its end', async () => {
    for (const { edge } of [first, second]) edge.useTicketKeys(twoEpochs())
    clock.move(100 * HOUR)
    expect(await isResumed(second, await ticketOf(first))).toBe(true)
  })

  it('fails no handshake, however often it comes', async () => {
    const ports = [first.httpsPort, second.httpsPort]
    const done = new AbortController()
    const rotating = (async () => {
      for (let key = 2; !done.signal.aborted; key += 1) {
        const keys = [aTicketKey(key % 256), aTicketKey((key - 1) % 256, { sealsFromMs: -1 })]
        for (const { edge } of [first, second]) edge.useTicketKeys(keys)
        await new Promise((resolve) => setImmediate(resolve))
      }
    })()
    const clients = await Promise.all(
      (['TLSv1.3', 'TLSv1.2', 'TLSv1.3'] as const).map((version) =>
        countResumptions(ports, OURS, { visits: 40, version }),
      ),
    )
    done.abort()
    await rotating
    expect(clients).toHaveLength(3)
    expect(await first.metric('postern_handshakes_total')).not.toMatch(/error|aborted|timeout/)
  })
})

describe('a ticket that is no good', () => {
  it.each(['another key', 'garbage in the place of a ticket'])(
    'leads to a full handshake: %s',
    async (what) => {
      const session = await ticketOf(first)
      if (what === 'another key') first.edge.useTicketKeys([aTicketKey(9)])
      else session.fill(0x41, session.length - 120, session.length - 60)
      const seen = await visit(first.httpsPort, OURS, { session }).catch((error: unknown) => error)
      // A session that OpenSSL cannot read at all is refused by the client itself.
      if (!(seen instanceof Error)) expect(seen).toMatchObject({ isResumed: false })
      expect(statusOf((await visit(first.httpsPort, OURS)).answer)).toBe(200)
    },
  )
})

describe('before any key is known', () => {
  it('visitors shake hands in full', async () => {
    await using bare = await openEdge({ clock })
    const seen = await visit(bare.httpsPort, OTHER)
    expect(seen.isResumed).toBe(false)
    expect(statusOf(seen.answer)).toBe(200)
  })
})

async function ticketOf({ httpsPort }: EdgeUnderTest): Promise<Buffer> {
  return lastOf((await visit(httpsPort, OURS)).tickets)
}

function lastOf(tickets: readonly Buffer[]): Buffer {
  const last = tickets.at(-1)
  if (!last) throw new TypeError('There was no ticket')
  return last
}

async function isResumed({ httpsPort }: EdgeUnderTest, session: Buffer): Promise<boolean> {
  return (await visit(httpsPort, OURS, { session })).isResumed
}
