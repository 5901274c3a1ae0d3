import { describe, expect, it } from 'vitest'
import { UNLIMITED } from '../../../src/acme/limits.ts'
import { createRequestPace } from '../../../src/acme/request-pace.ts'
import { seconds } from '../../../src/kernel/index.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

const never = new AbortController().signal

function aPace() {
  const clock = createFakeClock()
  const requests = { 'new-order': { capacity: 10, per: seconds(5) } }
  return { clock, pace: createRequestPace(requests, { clock }) }
}

describe('the pace of requests', () => {
  it('lets a burst pass at once and the others one by one, below what the CA allows', async () => {
    const { clock, pace } = aPace()
    const passedMs: number[] = []
    const all = Array.from({ length: 12 }, async () => {
      await pace.turn('new-order', never)
      passedMs.push(clock.monotonicMs())
    })
    await clock.advance(seconds(60))
    await Promise.all(all)
    // 2 a second with a burst of 10, and four fifths of both.
    expect(passedMs).toEqual([...Array.from({ length: 8 }, () => 0), 625, 1250, 1875, 2500])
  })

  it('is as patient again after a rest', async () => {
    const { clock, pace } = aPace()
    for (let times = 0; times < 8; times += 1) await pace.turn('new-order', never)
    await clock.advance(seconds(60))
    for (let times = 0; times < 8; times += 1) await pace.turn('new-order', never)
    expect(clock.sleepers).toBe(0)
  })

  it('counts each kind for itself, and does not hold what the CA does not limit', async () => {
    const { pace } = aPace()
    for (let times = 0; times < 8; times += 1) await pace.turn('new-order', never)
    for (let times = 0; times < 1_000; times += 1) await pace.turn('other', never)
  })

  it('ends with the signal, before and while waiting', async () => {
    const { clock, pace } = aPace()
    const leaving = new AbortController()
    for (let times = 0; times < 8; times += 1) await pace.turn('new-order', never)
    const waiting = pace.turn('new-order', leaving.signal)
    leaving.abort(new Error('shutting down'))
    await expect(waiting).rejects.toThrow('shutting down')
    await expect(pace.turn('other', leaving.signal)).rejects.toThrow('shutting down')
    expect(clock.sleepers).toBe(0)
  })

  it('lets sixty certificates a second through to a CA of one’s own', async () => {
    const clock = createFakeClock()
    const pace = createRequestPace(UNLIMITED.requests, { clock })
    for (let tenth = 0; tenth < 200; tenth += 1) {
      for (let times = 0; times < 6; times += 1) {
        await pace.turn('new-order', never)
        for (let request = 0; request < 7; request += 1) await pace.turn('other', never)
      }
      expect(clock.sleepers).toBe(0)
      await clock.advance(100)
    }
  })
})
