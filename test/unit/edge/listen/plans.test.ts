import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  planDescriptors,
  readDescriptorLimit,
} from '../../../../src/edge/listen/descriptor-plan.ts'
import {
  connectionsThatFit,
  connectionsWhenHigh,
  judgeMemory,
  memoryOfProcess,
} from '../../../../src/edge/listen/memory-plan.ts'
import {
  chooseToShed,
  pursuitOf,
  type SeatFacts,
} from '../../../../src/edge/listen/shedding-plan.ts'

describe('descriptors', () => {
  it('never add up to more than there are, with some to spare', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 20 }), fc.nat(8), (limit, pools) => {
        const { connections, socketsPerPool } = planDescriptors(limit, { pools })
        expect(connections).toBeGreaterThan(0)
        expect(connections + socketsPerPool * pools).toBeLessThanOrEqual(limit)
        if (limit < 256) return
        expect(limit - connections - socketsPerPool * pools).toBeGreaterThanOrEqual(128)
        expect(socketsPerPool > 0).toBe(pools > 0)
      }),
    )
  })

  it.each([
    [65_536, 0, { connections: 16_384, socketsPerPool: 0, isTight: false }],
    [65_536, 6, { connections: 16_384, socketsPerPool: 1024, isTight: false }],
    [1024, 0, { connections: 896, socketsPerPool: 0, isTight: true }],
    [1024, 3, { connections: 449, socketsPerPool: 149, isTight: true }],
    [256, 0, { connections: 128, socketsPerPool: 0, isTight: true }],
    [undefined, 0, { limit: 1024, connections: 896, isTight: true }],
  ])('of %s with %s pools are shared out', (limit, pools, plan) => {
    expect(planDescriptors(limit, { pools })).toMatchObject(plan)
  })

  it('are read as Linux says them', () => {
    const limits = 'Max processes   1   2  processes\nMax open files    1024    524288    files\n'
    expect(readDescriptorLimit(limits)).toBe(1024)
    expect(readDescriptorLimit('Max open files            unlimited   unlimited   files')).toBe(
      undefined,
    )
  })
})

describe('memory', () => {
  const bounds = { rss: 1000, heap: 100 }

  it.each([
    ['low', { rss: 849, heap: 10 }, false, { isHigh: false, of: 'rss' }],
    ['at the upper mark', { rss: 850, heap: 10 }, false, { isHigh: true, of: 'rss' }],
    ['still between the marks', { rss: 800, heap: 10 }, true, { isHigh: true }],
    ['between the marks from below', { rss: 800, heap: 10 }, false, { isHigh: false }],
    ['below the lower mark again', { rss: 749, heap: 10 }, true, { isHigh: false }],
    [
      'short of heap alone',
      { rss: 100, heap: 95 },
      false,
      { isHigh: true, of: 'heap', share: 0.95 },
    ],
  ])('%s is judged', (_name, use, isHigh, state) => {
    expect(judgeMemory(use, bounds, { isHigh })).toMatchObject(state)
  })

  it('lets so many in as fit above the mark', () => {
    const megabytes = 1024 * 1024
    expect(connectionsWhenHigh({ rss: 600 * megabytes, heap: 4000 * megabytes })).toBe(1536)
  })

  it('has room for a whole head of each connection', () => {
    const megabytes = 1024 * 1024
    expect(connectionsThatFit({ heap: 768 * megabytes })).toBe(17_152)
    expect(connectionsThatFit({ heap: 96 * megabytes })).toBe(1024)
    expect(connectionsThatFit({ heap: 1 })).toBe(256)
  })

  it.each([
    ['the machine', { machine: 900, constrained: 0, processes: 3 }, 300],
    ['the container', { machine: 900, constrained: 600, processes: 3 }, 200],
    [
      'the machine where "none" is a huge number',
      { machine: 9, constrained: 2 ** 64, processes: 1 },
      9,
    ],
    ['all, for none', { machine: 9, constrained: 0, processes: 0 }, 9],
  ])('is a share of %s', (_name, facts, bytes) => {
    expect(memoryOfProcess(facts)).toBe(bytes)
  })
})

describe('who is ended for others', () => {
  const NOW = 100_000
  const seat = (facts: Partial<SeatFacts>): SeatFacts => ({
    sinceMs: NOW - 60_000,
    lastActiveMs: NOW - 1000,
    hasAsked: true,
    isServed: false,
    stalledSinceMs: undefined,
    ...facts,
  })

  it.each([
    ['idle', seat({})],
    ['served', seat({ isServed: true })],
    ['served', seat({ isServed: true, stalledSinceMs: NOW - 4999 })],
    ['stalled', seat({ isServed: true, stalledSinceMs: NOW - 5000 })],
    ['stalled', seat({ stalledSinceMs: NOW - 5000 })],
    ['silent', seat({ hasAsked: false, sinceMs: NOW - 2000 })],
    ['new', seat({ hasAsked: false, sinceMs: NOW - 1999 })],
  ])('is found out of what is known: %s', (pursuit, facts) => {
    expect(pursuitOf(facts, NOW)).toBe(pursuit)
  })

  it('is first whoever is idle, then who says nothing, then who does not read; who rested longest', () => {
    const seats = {
      served: seat({ isServed: true, lastActiveMs: 0 }),
      stalled: seat({ isServed: true, stalledSinceMs: 0, lastActiveMs: 0 }),
      silent: seat({ hasAsked: false, lastActiveMs: 1 }),
      idleLately: seat({ lastActiveMs: 90_000 }),
      new: seat({ hasAsked: false, sinceMs: NOW }),
      idleLong: seat({ lastActiveMs: 50_000 }),
    }
    const chosen = chooseToShed(Object.values(seats), 10, NOW)
    expect(chosen.map((one) => one.seat)).toEqual([
      seats.idleLong,
      seats.idleLately,
      seats.silent,
      seats.stalled,
    ])
    expect(chosen.map(({ pursuit }) => pursuit)).toEqual(['idle', 'idle', 'silent', 'stalled'])
    expect(chooseToShed(Object.values(seats), 1, NOW)).toHaveLength(1)
  })
})
