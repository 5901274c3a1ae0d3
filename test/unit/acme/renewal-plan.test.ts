import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Interval, planRenewal } from '../../../src/acme/renewal-plan.ts'
import { days, hours, after as later, type Random } from '../../../src/kernel/index.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'

const start = new Date('2026-11-22T12:00:00Z')
const lifeOf = (count: number): Interval => ({ start, end: later(start, days(count)) })
const windowAt = (from: number, to: number): Interval => ({
  start: later(start, days(from)),
  end: later(start, days(to)),
})
const drawing = (fraction: number): Random => ({
  ...createSeededRandom(),
  fraction: () => fraction,
})
const dayOf = (at: Date): number => (at.getTime() - start.getTime()) / days(1)
const term = days(60)

describe('the plan of a renewal', () => {
  it('draws a point of the window that the CA suggests', () => {
    const plan = planRenewal(lifeOf(90), windowAt(59, 61), drawing(0.25), term)
    expect(plan.because).toBe('ca-suggested-it')
    expect(dayOf(plan.renewAt)).toBeCloseTo(59.5)
  })

  it('takes two thirds of the life when the CA suggests nothing', () => {
    const plan = planRenewal(lifeOf(45), undefined, drawing(0.5), term)
    expect(plan.because).toBe('two-thirds-used')
    expect(dayOf(plan.renewAt)).toBeCloseTo(30)
  })

  it('renews a certificate of 90 days on day 60, with or without a window', () => {
    expect(dayOf(planRenewal(lifeOf(90), undefined, drawing(0.5), term).renewAt)).toBeCloseTo(60)
    const late = planRenewal(lifeOf(90), windowAt(59.1, 60.9), drawing(0.999), term)
    expect(late.because).toBe('ca-suggested-it')
    expect(dayOf(late.renewAt)).toBeCloseTo(60.9, 1)
  })

  it('never uses a certificate for longer than the term', () => {
    const plan = planRenewal(lifeOf(365), undefined, drawing(0.5), term)
    expect(plan).toEqual({ renewAt: later(start, days(60)), because: 'term-ends' })
    const suggested = planRenewal(lifeOf(365), windowAt(240, 250), drawing(0.5), term)
    expect(suggested.because).toBe('term-ends')
    expect(dayOf(suggested.renewAt)).toBeCloseTo(65)
  })

  it('lets no window, however odd, go past 95 % of the life', () => {
    const plan = planRenewal(lifeOf(45), windowAt(50, 400), drawing(0.9), days(400))
    expect(plan).toEqual({ renewAt: later(start, days(45 * 0.95)), because: 'nearly-expired' })
  })

  it('renews at once when the CA moved the window into the past', () => {
    const now = later(start, days(10))
    const past = { start: later(now, hours(-1)), end: later(now, hours(-0.5)) }
    const plan = planRenewal(lifeOf(90), past, drawing(0.5), term)
    expect(plan.because).toBe('ca-suggested-it')
    expect(plan.renewAt.getTime()).toBeLessThan(now.getTime())
  })

  it('keeps its promises whatever it is told', () => {
    const numbers = fc.double({ min: -500, max: 500, noNaN: true })
    const inputs = fc.record({
      life: fc.double({ min: 0.1, max: 400, noNaN: true }),
      window: fc.option(fc.tuple(numbers, numbers)),
      fraction: fc.double({ min: 0, max: 0.999_999, noNaN: true }),
      termDays: fc.double({ min: 0.01, max: 400, noNaN: true }),
    })
    fc.assert(
      fc.property(inputs, ({ life, window, fraction, termDays }) => {
        const interval = window ? windowAt(...window) : undefined
        const plan = planRenewal(lifeOf(life), interval, drawing(fraction), days(termDays))
        const room = window ? Math.max(0, (window[1] - window[0]) / 2) : 0
        expect(dayOf(plan.renewAt)).toBeLessThanOrEqual(life * 0.95 + 1e-6)
        expect(dayOf(plan.renewAt)).toBeLessThanOrEqual(termDays + room + 1e-6)
      }),
    )
  })
})
