import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { systemClock, systemRandom } from '../../../src/kernel/index.ts'
import { createMetrics, createTrackingRecord, openLog } from '../../../src/telemetry/index.ts'
import {
  createHitJournal,
  createHitMover,
  type DeliverHits,
  findRefusedHits,
  type Hit,
} from '../../../src/tracking/index.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

let ids = 0
function aHit(): Hit {
  ids += 1
  const facts = { kind: 'open', hostname: 'email.customer.test', reference: 'r' } as const
  const visitor = { address: '192.0.2.1', userAgent: 'Mail', target: undefined }
  return { ...facts, ...visitor, id: ids.toString(16).padStart(32, '0'), at: new Date(ids) }
}

async function aWorld(deliver?: DeliverHits) {
  const directory = join(await mkdtemp(join(tmpdir(), 'postern-faults-')), 'journal')
  onTestFinished(() => rm(join(directory, '..'), { recursive: true, force: true }))
  const lines: string[] = []
  const log = openLog({ level: 'debug', pretty: false }, {}, { write: (line) => lines.push(line) })
  const record = createTrackingRecord({ log, metrics: createMetrics() })
  const open = (state: 'open' | 'refused' = 'open') => {
    const outside = { clock: systemClock, random: systemRandom, record }
    const journal = createHitJournal(outside, { directory, kind: 'hits', state })
    onTestFinished(() => journal[Symbol.asyncDispose]())
    return journal
  }
  const arrived: string[] = []
  const clock = createFakeClock()
  const intoList: DeliverHits = async (hits) => {
    arrived.push(...hits.map(({ id }) => id))
    return hits.length
  }
  const mover = createHitMover(
    { clock, record, deliver: deliver ?? intoList },
    { directory, kind: 'hits' },
  )
  return { directory, lines, open, mover, clock, arrived }
}

describe('a journal with a fault', () => {
  it('is moved on although another server has taken a file of it over', async () => {
    const { directory, open, mover, arrived, lines } = await aWorld()
    await using _ = mover
    const [first, second] = [aHit(), aHit()]
    await open().append([first])
    await mover.catchUp()
    const [name = ''] = await readdir(directory)
    await rename(join(directory, name), join(directory, `${name}.taken`))
    await open().append([second])
    await mover.catchUp()
    await mover.catchUp()
    expect([...new Set(arrived)]).toEqual([first.id, second.id])
    expect(lines.join('')).not.toContain('hits-not-moved')
    expect(await readdir(directory)).toHaveLength(1)
  })

  it('is moved on past what cannot be read, which is named once', async () => {
    const { directory, open, mover, arrived, lines } = await aWorld()
    await using _ = mover
    const unreadable = `${'0'.repeat(32)}-00000001.hits`
    await mkdir(join(directory, unreadable), { recursive: true })
    const hit = aHit()
    await open().append([hit])
    for (let round = 0; round < 3; round += 1) await mover.catchUp()
    expect(arrived).toEqual([hit.id])
    const told = lines.filter((line) => line.includes('journal-segment-unreadable'))
    expect(told).toHaveLength(1)
    expect(told[0]).toContain(unreadable)
  })

  it('leaves alone what was set aside, until somebody names it as others are named', async () => {
    const { directory, open, mover, arrived } = await aWorld()
    await using _ = mover
    const hit = aHit()
    await open('refused').append([hit])
    await mover.catchUp()
    expect(arrived).toEqual([])
    const [name = '', ...others] = await findRefusedHits(directory)
    expect(others).toEqual([])
    await rename(join(directory, name), join(directory, name.replace('.refused', '')))
    await mover.catchUp()
    expect(arrived).toEqual([hit.id])
    expect(await findRefusedHits(directory)).toEqual([])
  })
})

describe('a mover', () => {
  it('ends in time though its destination hangs, and says since when hits wait for it', async () => {
    const asked = Promise.withResolvers<void>()
    const { open, mover, clock } = await aWorld(() => {
      asked.resolve()
      return new Promise(() => undefined)
    })
    const hit = aHit()
    await open().append([hit])
    // Its nap begins when a round is over, however long that takes here.
    const asking = asked.promise.then(() => 'asked')
    const notYet = Promise.resolve('not yet')
    while ((await Promise.race([asking, notYet])) === 'not yet') await clock.advance(1000)
    expect(mover.backlog()).toEqual({ count: 1, oldestAt: hit.at })
    const ended = mover[Symbol.asyncDispose]()
    await clock.advance(3000)
    await ended
  })

  it('says since when hits wait if its destination fails', async () => {
    const { open, mover } = await aWorld(() => Promise.reject(new Error('away')))
    await using _ = mover
    const hit = aHit()
    await open().append([hit])
    await mover.catchUp()
    expect(mover.backlog()).toEqual({ count: 1, oldestAt: hit.at })
  })

  it('moves hits as soon as somebody asks for them, however long nothing came', async () => {
    const { open, mover, clock, arrived } = await aWorld()
    await using _ = mover
    await mover.catchUp()
    await clock.advance(60_000)
    const hit = aHit()
    await open().append([hit])
    await mover.catchUp()
    expect(arrived).toEqual([hit.id])
  })
})
