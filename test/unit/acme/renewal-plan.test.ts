import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Interval, planRenewal, type RenewalFacts } from '../../../src/acme/renewal-plan.ts'
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
/** Planned when it was issued, with our term, unless told otherwise. */
const planFor = (facts: Pick<RenewalFacts, 'life'> & Partial<RenewalFacts>, fraction = 0.5) =>
  planRenewal({ window: undefined, term: days(60), now: start, ...facts }, drawing(fraction))

describe('the plan of a renewal', () => {
  it('draws a point of the window that the CA suggests', () => {
    const plan = planFor({ life: lifeOf(90), window: windowAt(59, 61) }, 0.25)
    expect(plan.because).toBe('ca-suggested-it')
    expect(dayOf(plan.renewAt)).toBeCloseTo(59.5)
  })

  it('takes two thirds of the life when the CA suggests nothing', () => {
    const plan = planFor({ life: lifeOf(45) })
    expect(plan.because).toBe('two-thirds-used')
    expect(dayOf(plan.renewAt)).toBeCloseTo(30)
  })

  it('renews a certificate of 90 days on day 60, with or without a window', () => {
    expect(dayOf(planFor({ life: lifeOf(90) }).renewAt)).toBeCloseTo(60)
    const late = planFor({ life: lifeOf(90), window: windowAt(59.1, 60.9) }, 0.999)
    expect(late.because).toBe('ca-suggested-it')
    expect(dayOf(late.renewAt)).toBeCloseTo(60.9, 1)
  })

  it('never uses a certificate for longer than the term', () => {
    const plan = planFor({ life: lifeOf(365) })
    expect(plan).toEqual({ renewAt: later(start, days(60)), because: 'term-ends' })
    const suggested = planFor({ life: lifeOf(365), window: windowAt(240, 250) })
    expect(suggested.because).toBe('term-ends')
    expect(dayOf(suggested.renewAt)).toBeCloseTo(65)
  })

  it('lets no window, however odd, go past 95 % of the life', () => {
    const plan = planFor({ life: lifeOf(45), window: windowAt(50, 400), term: days(400) }, 0.9)
    expect(plan).toEqual({ renewAt: later(start, days(45 * 0.95)), because: 'nearly-expired' })
  })

  it('renews within the hour when the CA moved the window into the past', () => {
    const now = later(start, days(10))
    const past = { start: later(now, hours(-1)), end: later(now, hours(-0.5)) }
    const plan = planFor({ life: lifeOf(90), window: past, now })
    expect(plan).toEqual({ renewAt: later(now, hours(1)), because: 'ca-suggested-it' })
  })

  it('uses a certificate that is due when it comes for a tenth of what is left, an hour at least', () => {
    const old = later(start, days(70))
    const plan = planFor({ life: lifeOf(90), now: old })
    expect(plan).toEqual({ renewAt: later(old, days(2)), because: 'two-thirds-used' })
    const short = planFor({ life: lifeOf(0.1), now: later(start, hours(1)) })
    expect(short).toEqual({ renewAt: later(start, hours(2)), because: 'two-thirds-used' })
  })

  it('does not pause past 95 % of a short life', () => {
    const plan = planFor({ life: lifeOf(1 / 24) })
    expect(plan).toEqual({ renewAt: later(start, hours(0.95)), because: 'nearly-expired' })
  })

  it('uses a certificate that comes with hardly any life left for half of it', () => {
    const plan = planFor({ life: lifeOf(100), now: later(start, hours(2399)) })
    expect(plan).toEqual({ renewAt: later(start, hours(2399.5)), because: 'nearly-expired' })
  })

  it('keeps its promises whatever it is told', () => {
    const numbers = fc.double({ min: -500, max: 500, noNaN: true })
    const inputs = fc.record({
      life: fc.double({ min: 0.1, max: 400, noNaN: true }),
      window: fc.option(fc.tuple(numbers, numbers)),
      fraction: fc.double({ min: 0, max: 0.999_999, noNaN: true }),
      termDays: fc.double({ min: 1, max: 400, noNaN: true }),
      used: fc.double({ min: 0, max: 0.999, noNaN: true }),
    })
    fc.assert(
      fc.property(inputs, ({ life, window, fraction, termDays, used }) => {
        const interval = window ? windowAt(...window) : undefined
        const now = later(start, days(life * used))
        const facts = { life: lifeOf(life), window: interval, term: days(termDays), now }
        const renewDay = dayOf(planFor(facts, fraction).renewAt)
        const room = window ? Math.max(0, (window[1] - window[0]) / 2) : 0
        const left = life * (1 - used)
        const pause = Math.max(1 / 24, left / 10)
        const latest = Math.max(life * 0.95, life - left / 2)
        expect(renewDay).toBeLessThanOrEqual(latest + 1e-6)
        expect(renewDay).toBeLessThanOrEqual(Math.max(termDays + room, dayOf(now) + pause) + 1e-6)
        expect(renewDay - dayOf(now)).toBeGreaterThanOrEqual(Math.min(1 / 24, left / 2) - 1e-6)
      }),
    )
  })
})
