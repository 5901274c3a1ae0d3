import { describe, expect, it } from 'vitest'
import { type FailedAttempt, planRetry } from '../../../src/events/retry-plan.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const now = new Date('2026-11-22T12:00:00Z')
const steady = { ...createSeededRandom(), fraction: () => 0 }
const minutesFromNow = (at: Date | undefined) => at && (at.getTime() - now.getTime()) / MINUTE
const aFailure = (facts: Partial<FailedAttempt>): FailedAttempt => ({
  ...{ blame: 'receiver', attempts: 1, failures: 1, waitingSince: now, pausedMs: 0, now },
  ...facts,
})

describe('the plan after a failed delivery', () => {
  it.each([
    ...[
      [1, 10],
      [2, 10],
      [3, 15],
      [4, 30],
      [5, 60],
      [6, 120],
      [7, 240],
      [8, 480],
      [20, 480],
    ],
  ])('leaves the receiver alone after failure %i for %i minutes', (failures, minutes) => {
    const plan = planRetry(aFailure({ failures, attempts: failures }), steady)
    expect(plan).toMatchObject({ kind: 'hold' })
    expect(minutesFromNow(plan.retryAt)).toBe(minutes)
  })

  it('spreads those that failed together, by a tenth at most', () => {
    const random = createSeededRandom()
    const waits = Array.from({ length: 200 }, () => {
      const plan = planRetry(aFailure({}), random)
      return minutesFromNow(plan.retryAt) ?? 0
    })
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(10)
    expect(Math.max(...waits)).toBeLessThanOrEqual(11)
    expect(new Set(waits).size).toBeGreaterThan(150)
  })

  it('goes on with the next event when it is only this one that is refused', () => {
    const plan = planRetry(aFailure({ blame: 'event' }), steady)
    expect(plan.kind).toBe('next-event')
    expect(minutesFromNow(plan.retryAt)).toBe(10)
  })

  it.each([
    [3, 10],
    [6, 10],
    [9, 15],
    [12, 30],
  ])('leaves the receiver alone when %i events in a row are refused', (failures, minutes) => {
    const plan = planRetry(aFailure({ blame: 'event', failures }), steady)
    if (plan.kind !== 'hold') throw new Error(plan.kind)
    expect(minutesFromNow(plan.until)).toBe(minutes)
    // Behind others: what was refused shall not be what the receiver is tried with.
    expect(minutesFromNow(plan.retryAt)).toBe(minutes + 10)
    expect(plan.refusedWaitUntil).toEqual(plan.retryAt)
  })

  it.each([1, 2, 4, 5, 7])('goes on after refusal %i in a row', (failures) => {
    expect(planRetry(aFailure({ blame: 'event', failures }), steady).kind).toBe('next-event')
  })

  it.each(['receiver', 'event'] as const)('gives an event up after three days (%s)', (blame) => {
    const waiting = (hours: number) => new Date(now.getTime() - hours * HOUR)
    const facts = { blame, attempts: 15, failures: blame === 'event' ? 1 : 15 }
    const early = planRetry(aFailure({ ...facts, waitingSince: waiting(64) }), steady)
    expect(minutesFromNow(early.retryAt)).toBe(480)
    const late = planRetry(aFailure({ ...facts, waitingSince: waiting(64.1) }), steady)
    expect(late.retryAt).toBeUndefined()
  })

  it.each(['receiver', 'event'] as const)(
    'gives nothing up that only the clock says is old: it was not tried for so long (%s)',
    (blame) => {
      const leapt = new Date(now.getTime() - 90 * 24 * HOUR)
      for (let attempts = 1; attempts < 14; attempts += 1) {
        const facts = { blame, attempts, failures: 1, waitingSince: leapt }
        expect(planRetry(aFailure(facts), steady).retryAt, `${attempts}`).toBeDefined()
      }
    },
  )

  it('counts the pauses of its receiver for one that was never tried itself', () => {
    const old = { waitingSince: new Date(now.getTime() - 72 * HOUR), failures: 40 }
    expect(planRetry(aFailure({ ...old, pausedMs: 56 * HOUR }), steady).retryAt).toBeUndefined()
    expect(planRetry(aFailure({ ...old, pausedMs: 54 * HOUR }), steady).retryAt).toBeDefined()
  })

  it('gives up one that came at a time which is yet to come, once it was tried for so long', () => {
    const ahead = { waitingSince: new Date(now.getTime() + 80 * 24 * HOUR), attempts: 15 }
    expect(planRetry(aFailure(ahead), steady).retryAt).toBeUndefined()
    expect(planRetry(aFailure({ ...ahead, attempts: 13 }), steady).retryAt).toBeDefined()
  })

  it('tries one event fifteen times in its three days', () => {
    let at = now
    let attempts = 1
    for (;;) {
      const facts = { attempts, failures: attempts, waitingSince: now, now: at }
      const { retryAt } = planRetry(aFailure(facts), steady)
      if (!retryAt) break
      at = retryAt
      attempts += 1
    }
    expect(attempts).toBe(15)
    expect((at.getTime() - now.getTime()) / HOUR).toBeGreaterThan(64)
  })
})
