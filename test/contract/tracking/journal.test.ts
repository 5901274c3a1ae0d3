import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { systemClock, systemRandom } from '../../../src/kernel/index.ts'
import { createMetrics, createTrackingRecord, openLog } from '../../../src/telemetry/index.ts'
import {
  createHitJournal,
  createHitMover,
  type DeliverHits,
  type Hit,
} from '../../../src/tracking/index.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

async function aPlace() {
  const directory = join(await mkdtemp(join(tmpdir(), 'postern-journal-')), 'journal')
  onTestFinished(() => rm(join(directory, '..'), { recursive: true, force: true }))
  return { directory, kind: 'hits' } as const
}

const lines: string[] = []
const log = openLog({ level: 'debug', pretty: false }, {}, { write: (line) => lines.push(line) })
const record = createTrackingRecord({ log, metrics: createMetrics() })

let ids = 0
function aHit(atMs = 0): Hit {
  ids += 1
  const id = ids.toString(16).padStart(32, '0')
  const [at, owed] = [new Date(atMs), undefined]
  const facts = { kind: 'open', hostname: 'email.customer.test', reference: 'r' } as const
  return { ...facts, id, at, owed, target: undefined, address: '192.0.2.1', userAgent: 'Mail' }
}

function openJournal(place: Awaited<ReturnType<typeof aPlace>>) {
  const journal = createHitJournal({ clock: systemClock, random: systemRandom, record }, place)
  onTestFinished(() => journal[Symbol.asyncDispose]())
  return journal
}

/** Moves hits into a list; its clock stands still, so that only `catchUp` and `advance` move. */
function openMover(place: Awaited<ReturnType<typeof aPlace>>, deliver?: DeliverHits) {
  const arrived: Hit[] = []
  const clock = createFakeClock()
  const intoList: DeliverHits = async (hits) => {
    arrived.push(...hits)
    return hits.length
  }
  const mover = createHitMover({ clock, record, deliver: deliver ?? intoList }, place)
  onTestFinished(() => mover[Symbol.asyncDispose]())
  /** Time goes by, and what was to be read and removed then is. */
  const pass = async (ms: number): Promise<void> => {
    await clock.advance(ms)
    await mover.catchUp()
    await mover.catchUp()
  }
  return { mover, clock, pass, arrived, idsArrived: () => arrived.map(({ id }) => id) }
}

describe('a journal', () => {
  it('is private, and is empty once its hits have arrived and nobody writes', async () => {
    const place = await aPlace()
    const journal = openJournal(place)
    const hits = [aHit(), aHit()]
    await journal.append(hits)
    const [name = ''] = await readdir(place.directory)
    expect((await stat(place.directory)).mode & 0o777).toBe(0o700)
    expect((await stat(join(place.directory, name))).mode & 0o777).toBe(0o600)
    const { pass, arrived } = openMover(place)
    await pass(0)
    expect(arrived).toEqual(hits)
    await pass(6000)
    expect(await readdir(place.directory)).toEqual([])
    await pass(0)
    expect(arrived).toHaveLength(2)
  })

  it('goes on in another file when a reader has taken one over, and loses nothing', async () => {
    const place = await aPlace()
    const journal = openJournal(place)
    const { mover, clock, idsArrived } = openMover(place)
    const sent: string[] = []
    for (let round = 0; round < 20; round += 1) {
      const hits = [aHit(), aHit(), aHit()]
      sent.push(...hits.map(({ id }) => id))
      const [appended] = await Promise.allSettled([journal.append(hits), clock.advance(5100)])
      expect(appended.status).toBe('fulfilled')
    }
    await mover.catchUp()
    expect([...new Set(idsArrived())].sort()).toEqual(sent)
  })

  it('begins another file when one is large', async () => {
    const place = await aPlace()
    const journal = openJournal(place)
    const many = Array.from({ length: 500 }, () => ({ ...aHit(), userAgent: 'x'.repeat(500) }))
    for (let round = 0; round < 9; round += 1) await journal.append(many)
    expect(await readdir(place.directory)).toHaveLength(3)
    const { mover, arrived } = openMover(place)
    await mover.catchUp()
    expect(arrived).toHaveLength(4500)
    expect(await readdir(place.directory)).toHaveLength(1)
  })
})

describe('what a dead process left behind', () => {
  it('is moved up to where its last write was cut off, at every byte', async () => {
    const place = await aPlace()
    const journal = openJournal(place)
    await journal.append([aHit()])
    await journal.append([aHit()])
    const [name = ''] = await readdir(place.directory)
    const whole = await readFile(join(place.directory, name))
    for (let cut = 0; cut < whole.length; cut += 1) {
      await writeFile(join(place.directory, name), whole)
      await truncate(join(place.directory, name), cut)
      const arrived: string[] = []
      const clock = createFakeClock()
      const deliver: DeliverHits = async (hits) => arrived.push(...hits.map(({ id }) => id))
      const mover = createHitMover({ clock, record, deliver }, place)
      await mover[Symbol.asyncDispose]()
      const middle = 16 + (whole.length - 16) / 2
      expect(arrived).toHaveLength(cut < middle ? 0 : 1)
      expect(await readdir(place.directory)).toEqual([])
    }
  })

  it('is kept for people when it was damaged, and everything before and beside it is moved', async () => {
    const place = await aPlace()
    const journal = openJournal(place)
    const [first, second, beside] = [aHit(), aHit(), aHit()]
    await journal.append([first])
    await journal.append([second])
    const [name = ''] = await readdir(place.directory)
    const bytes = await readFile(join(place.directory, name))
    bytes[bytes.length - 3] = 0
    await writeFile(join(place.directory, name), bytes)
    await openJournal(place).append([beside])
    const { pass, idsArrived } = openMover(place)
    await pass(0)
    await pass(6000)
    expect(idsArrived().sort()).toEqual([first.id, beside.id])
    expect(await readdir(place.directory)).toEqual([`${name}.damaged`])
    expect(lines.join('')).toContain('journal-tail-left')
  })
})

describe('moving', () => {
  it('goes by time, whoever wrote', async () => {
    const place = await aPlace()
    const [one, other] = [openJournal(place), openJournal(place)]
    const hits = [aHit(1), aHit(2), aHit(3), aHit(4), aHit(5)]
    const [a, b, c, d, e] = hits
    if (!a || !b || !c || !d || !e) throw new TypeError('five hits')
    await one.append([a, d])
    await other.append([b, c, e])
    const { mover, arrived } = openMover(place)
    await mover.catchUp()
    expect(arrived).toEqual(hits)
  })

  it('waits for a destination that is away, says how much waits, and goes on where it was', async () => {
    const place = await aPlace()
    const journal = openJournal(place)
    const hits = [aHit(7000), aHit(8000), aHit(9000)]
    await journal.append(hits)
    const asked: number[] = []
    const outcomes = [1, new Error('away'), 0, 2]
    const { mover, pass } = openMover(place, async (some) => {
      asked.push(some.length)
      const outcome = outcomes.shift() ?? 0
      if (typeof outcome !== 'number') throw outcome
      return outcome
    })
    await mover.catchUp()
    expect(mover.backlog()).toEqual({ count: 2, oldestAt: new Date(8000) })
    await pass(100)
    expect(asked).toEqual([3])
    for (let round = 0; round < 10; round += 1) await pass(400)
    expect(asked).toEqual([3, 2, 2, 2])
    expect(mover.backlog()).toEqual({ count: 0, oldestAt: undefined })
  })

  it('begins anew after a death of its own: at least once', async () => {
    const place = await aPlace()
    await openJournal(place).append([aHit()])
    const first = openMover(place)
    await first.mover.catchUp()
    const second = openMover(place)
    await second.mover.catchUp()
    expect(second.idsArrived()).toEqual(first.idsArrived())
  })
})
