import { describe, expect, it } from 'vitest'
import { createMetrics, createTrackingRecord } from '../../../src/telemetry/index.ts'
import { createHitRecorder, type Hit } from '../../../src/tracking/index.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

function aHit(id: string): Hit {
  return {
    id,
    at: new Date('2026-11-22T12:00:00Z'),
    kind: 'open',
    hostname: 'email.customer.test',
    reference: 'r',
    target: undefined,
    address: '192.0.2.1',
    userAgent: 'Mail',
  }
}

/** A journal whose writes end when they are told to, and not before. */
function createSlowJournal() {
  const writes: { ids: string[]; done: PromiseWithResolvers<void> }[] = []
  return {
    writes,
    append: (rows: readonly Hit[]): Promise<void> => {
      const done = Promise.withResolvers<void>()
      writes.push({ ids: rows.map(({ id }) => id), done })
      return done.promise
    },
  }
}

function setUp(journal = createSlowJournal()) {
  const clock = createFakeClock()
  const events: { event: string; fields: unknown }[] = []
  const note = (event: string, fields?: unknown): void => void events.push({ event, fields })
  const metrics = createMetrics()
  const record = createTrackingRecord({ log: { info: note, warn: note, error: note }, metrics })
  const hits = createHitRecorder({ journal, clock, record })
  const count = async (name: string): Promise<number> => {
    const [metric] = (await metrics.snapshot()).filter((one) => 'name' in one && one.name === name)
    const { values } = metric as { values: { value: number }[] }
    return values[0]?.value ?? 0
  }
  return { clock, events, hits, journal, count }
}

/** Adds hits and tells which of them are answered. */
function answersOf(adding: readonly (readonly [string, Promise<void>])[]): Set<string> {
  const answered = new Set<string>()
  for (const [id, promise] of adding) void promise.then(() => answered.add(id))
  return answered
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('recording hits', () => {
  it('answers once the hit is durable, and not before', async () => {
    const { hits, journal } = setUp()
    const answered = answersOf([['a', hits.add(aHit('a'))]])
    await settle()
    expect(answered.size).toBe(0)
    journal.writes[0]?.done.resolve()
    await settle()
    expect([...answered]).toEqual(['a'])
  })

  it('writes what came during a write together, directly after it', async () => {
    const { hits, journal } = setUp()
    const add = (id: string) => [id, hits.add(aHit(id))] as const
    const answered = answersOf([add('a'), add('b')])
    await settle()
    const later = answersOf([add('c'), add('d')])
    await settle()
    expect(journal.writes.map(({ ids }) => ids)).toEqual([['a', 'b']])
    journal.writes[0]?.done.resolve()
    await settle()
    expect([...answered]).toEqual(['a', 'b'])
    expect(later.size).toBe(0)
    expect(journal.writes.map(({ ids }) => ids)).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ])
    journal.writes[1]?.done.resolve()
    await settle()
    expect([...later]).toEqual(['c', 'd'])
  })

  it('bounds one write', async () => {
    const { hits, journal } = setUp()
    for (let count = 0; count < 501; count += 1) void hits.add(aHit(String(count)))
    await settle()
    journal.writes[0]?.done.resolve()
    await settle()
    expect(journal.writes.map(({ ids }) => ids.length)).toEqual([500, 1])
  })
})

describe('while the disk takes nothing', () => {
  it('answers all the same, keeps the hits, and writes them when it is back', async () => {
    const { clock, events, hits, journal, count } = setUp()
    const answered = answersOf([['a', hits.add(aHit('a'))]])
    await settle()
    journal.writes[0]?.done.reject(new Error('disk full'))
    await settle()
    expect([...answered]).toEqual(['a'])
    expect(events.map(({ event }) => event)).toEqual(['hits-not-journaled'])

    const atOnce = answersOf([['b', hits.add(aHit('b'))]])
    await settle()
    expect([...atOnce]).toEqual(['b'])
    expect(journal.writes).toHaveLength(1)

    await clock.advance(500)
    expect(journal.writes[1]?.ids).toEqual(['a', 'b'])
    journal.writes[1]?.done.resolve()
    await settle()
    expect(events.at(-1)?.event).toBe('hits-journaled-again')
    expect(await count('postern_hits_journaled_total')).toBe(2)
    expect(await count('postern_hits_late_total')).toBe(2)
    expect(await count('postern_hits_waiting')).toBe(0)

    const waitsAgain = answersOf([['c', hits.add(aHit('c'))]])
    await settle()
    expect(waitsAgain.size).toBe(0)
  })

  it('tries again at growing intervals, never longer than five seconds', async () => {
    const { clock, hits, journal } = setUp()
    void hits.add(aHit('a'))
    await settle()
    const waits: number[] = []
    for (let attempt = 0; attempt < 9; attempt += 1) {
      journal.writes[attempt]?.done.reject(new Error('away'))
      await settle()
      const start = clock.monotonicMs()
      while (journal.writes.length === attempt + 1) await clock.advance(500)
      waits.push(clock.monotonicMs() - start)
    }
    expect(waits).toEqual([500, 1000, 2000, 4000, 5000, 5000, 5000, 5000, 5000])
  })

  it('lets nobody wait longer than two seconds for a disk that hangs', async () => {
    const { clock, events, hits, journal, count } = setUp()
    const answered = answersOf([['a', hits.add(aHit('a'))]])
    await settle()
    await clock.advance(1999)
    expect(answered.size).toBe(0)
    await clock.advance(1)
    expect([...answered]).toEqual(['a'])
    const atOnce = answersOf([['b', hits.add(aHit('b'))]])
    await settle()
    expect([...atOnce]).toEqual(['b'])
    expect(events.map(({ event }) => event)).toEqual(['hits-not-journaled'])
    journal.writes[0]?.done.resolve()
    await settle()
    journal.writes[1]?.done.resolve()
    await settle()
    expect(await count('postern_hits_journaled_total')).toBe(2)
  })

  it('keeps fifty thousand hits, and counts those it has to give up', async () => {
    const { hits, journal, count } = setUp()
    for (let number = 0; number < 50_003; number += 1) void hits.add(aHit(String(number)))
    await settle()
    expect(await count('postern_hits_lost_total')).toBe(3)
    journal.writes[0]?.done.reject(new Error('away'))
    await settle()
  })
})

describe('while the disk takes nothing and links are long', () => {
  it('keeps no more than 32 MB of hits in memory, and takes others once those are written', async () => {
    const { hits, journal, count } = setUp()
    const long = { userAgent: 'x'.repeat(16_000) }
    for (let number = 0; number < 2200; number += 1) {
      void hits.add({ ...aHit(String(number)), ...long })
    }
    await settle()
    const lost = await count('postern_hits_lost_total')
    expect(lost).toBeGreaterThan(100)
    expect(lost).toBeLessThan(200)
    journal.writes[0]?.done.resolve()
    await settle()
    void hits.add(aHit('after'))
    expect(await count('postern_hits_lost_total')).toBe(lost)
  })
})

describe('at the end', () => {
  it('writes what is still waiting', async () => {
    const { hits, journal } = setUp()
    void hits.add(aHit('a'))
    await settle()
    journal.writes[0]?.done.reject(new Error('away'))
    await settle()
    const closing = hits[Symbol.asyncDispose]()
    await settle()
    journal.writes[1]?.done.resolve()
    await closing
    expect(journal.writes[1]?.ids).toEqual(['a'])
  })

  it('tells how many it could not write', async () => {
    const { hits, journal, events } = setUp()
    void hits.add(aHit('a'))
    await settle()
    const closing = hits[Symbol.asyncDispose]()
    journal.writes[0]?.done.reject(new Error('away'))
    await closing
    expect(events.at(-1)).toEqual({ event: 'hits-given-up', fields: { count: 1 } })
  })

  it('does not wait for ever', async () => {
    const { clock, hits, events } = setUp()
    void hits.add(aHit('a'))
    await settle()
    const closing = hits[Symbol.asyncDispose]()
    await clock.advance(5000)
    await closing
    expect(events.at(-1)?.event).toBe('hits-given-up')
  })
})
