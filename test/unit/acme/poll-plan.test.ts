import { describe, expect, it } from 'vitest'
import { learnTiming, planPoll } from '../../../src/acme/poll-plan.ts'

const timing = { firstMs: 25 }
const nothing = { polls: 0, waitedMs: 0, retryAfterMs: undefined }

describe('the plan of asking again', () => {
  it('asks first when the answer is usually there', () => {
    expect(planPoll(timing, nothing)).toEqual({ kind: 'wait', ms: 25 })
  })

  it('then waits half as long again as it has waited, within bounds', () => {
    const waits = [2, 100, 60_000].map((waitedMs) =>
      planPoll(timing, { polls: 1, waitedMs, retryAfterMs: undefined }),
    )
    expect(waits).toEqual([10, 50, 5_000].map((ms) => ({ kind: 'wait', ms })))
  })

  it('waits as long as the CA asks', () => {
    expect(planPoll(timing, { ...nothing, retryAfterMs: 3_000 })).toEqual({
      kind: 'wait',
      ms: 3_000,
    })
  })

  it('is not hurried by a CA that says 0', () => {
    const waits = [0, 100, 60_000].map((waitedMs) =>
      planPoll(timing, { polls: waitedMs === 0 ? 0 : 9, waitedMs, retryAfterMs: 0 }),
    )
    expect(waits).toEqual([25, 50, 5_000].map((ms) => ({ kind: 'wait', ms })))
  })

  it('gives up in the end, or when the CA asks for more patience than there is', () => {
    expect(planPoll(timing, { ...nothing, waitedMs: 90_000 })).toEqual({ kind: 'give-up' })
    expect(planPoll(timing, { ...nothing, retryAfterMs: 100_000 })).toEqual({ kind: 'give-up' })
  })

  it('learns: sooner after a hit, later after a miss, never absurd', () => {
    expect(learnTiming(timing, { polls: 1 }).firstMs).toBeLessThan(25)
    expect(learnTiming(timing, { polls: 3 }).firstMs).toBeGreaterThan(25)
    const many = (polls: number) => {
      let learned = timing
      for (let round = 0; round < 1_000; round += 1) learned = learnTiming(learned, { polls })
      return learned.firstMs
    }
    expect(many(1)).toBe(4)
    expect(many(2)).toBe(15_000)
  })

  it('settles where few first questions come too early', () => {
    let learned = { firstMs: 1 }
    let misses = 0
    for (let round = 0; round < 2_000; round += 1) {
      const takesMs = 20 + 10 * Math.sin(round)
      const polls = learned.firstMs >= takesMs ? 1 : 2
      if (polls > 1) misses += 1
      learned = learnTiming(learned, { polls })
    }
    expect(misses / 2_000).toBeLessThan(0.1)
    expect(learned.firstMs).toBeLessThan(45)
  })
})
