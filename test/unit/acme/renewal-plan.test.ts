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
const planFor = (facts: Pick<RenewalFacts, 'life'> & Partial<RenewalFacts>, fraction = 0.5) => {
  const now = facts.now ?? start
  const defaults = { window: undefined, term: days(60), now, heldSince: now }
  return planRenewal({ ...defaults, ...facts }, drawing(fraction))
}

describe('the plan of a renewal', () => {
  it('draws a point of the window that the CA suggests', () => {
    const plan = planFor({ life: lifeOf(90), window: windowAt(59, 61) }, 0.25)
    expect(plan.because).toBe('ca-suggested-it')
    expect(dayOf(plan.renewAt)).toBeCloseTo(59.5)
  })

  it.each([
    [90, 60, 'two-thirds-used'],
    [64, 64 * (2 / 3), 'two-thirds-used'],
    [45, 30, 'two-thirds-used'],
    [160 / 24, 80 / 24, 'half-used'],
  ])('without a window, one of %d days is renewed on day %d', (life, day, because) => {
    const plan = planFor({ life: lifeOf(life) })
    expect(plan.because).toBe(because)
    expect(dayOf(plan.renewAt)).toBeCloseTo(day)
  })

  it.each([
    [90, 60],
    [64, 64 * (2 / 3)],
    [45, 30],
    [160 / 24, 80 / 24],
  ])("in Let's Encrypt's window, one of %d days is renewed around day %d", (life, day) => {
    const window = windowAt(day - life / 100, day + life / 100)
    for (const fraction of [0, 0.5, 0.999]) {
      const plan = planFor({ life: lifeOf(life), window }, fraction)
      expect(plan.because).toBe('ca-suggested-it')
      expect(dayOf(plan.renewAt)).toBeCloseTo(day + (fraction - 0.5) * (life / 50))
    }
  })

  it('ends with the term, amid a longer life', () => {
    const plan = planFor({ life: lifeOf(365) })
    expect(plan).toEqual({ renewAt: later(start, days(60)), because: 'term-ends' })
    const short = planFor({ life: lifeOf(9), term: days(2) })
    expect(short).toEqual({ renewAt: later(start, days(2)), because: 'term-ends' })
  })

  it('does not wait for a window that begins after the term', () => {
    const plan = planFor({ life: lifeOf(365), window: windowAt(240, 250) })
    expect(plan).toEqual({ renewAt: later(start, days(60)), because: 'term-ends' })
  })

  it('lets no window, however late, go past 95 % of the life', () => {
    const plan = planFor({ life: lifeOf(45), window: windowAt(44, 80), term: days(400) }, 0.9)
    expect(plan).toEqual({ renewAt: later(start, days(45 * 0.95)), because: 'nearly-expired' })
  })

  it.each([
    ['ends before it begins', windowAt(61, 59)],
    ['ends when it begins', windowAt(50, 50)],
    ['begins when the certificate is over', windowAt(90, 92)],
    ['is longer than the life of the certificate', windowAt(-10, 81)],
    ['has no dates', { start: new Date(Number.NaN), end: new Date(Number.NaN) }],
  ])('ignores a window that %s', (_name, window) => {
    const plan = planFor({ life: lifeOf(90), window }, 0.1)
    expect(plan.because).toBe('two-thirds-used')
    expect(dayOf(plan.renewAt)).toBeCloseTo(60)
  })

  it('renews now when the CA moved the window into the past', () => {
    const now = later(start, days(10))
    const past = { start: later(now, hours(-1)), end: later(now, hours(-0.5)) }
    const plan = planFor({ life: lifeOf(90), window: past, now, heldSince: start })
    expect(plan).toEqual({ renewAt: now, because: 'ca-says-now' })
  })

  it.each([
    { life: 90, day: 10, hoursAway: [0, 24], at: 0 },
    { life: 90, day: 10, hoursAway: [3, 15], at: 3 },
    { life: 90, day: 10, hoursAway: [-240, 24], at: 0 },
    { life: 160 / 24, day: 2, hoursAway: [0, 5], at: 0 },
  ] as const)('takes a window of short notice as now: $hoursAway h away', (given) => {
    const now = later(start, days(given.day))
    const [from, to] = given.hoursAway
    const window = { start: later(now, hours(from)), end: later(now, hours(to)) }
    const plan = planFor({ life: lifeOf(given.life), window, now, heldSince: start }, 0.9)
    expect(plan).toEqual({ renewAt: later(now, hours(given.at)), because: 'ca-says-now' })
  })

  it('replaces no sooner than the window begins, but when the term ends', () => {
    const now = later(start, days(10))
    const window = { start: later(now, hours(9)), end: later(now, hours(20)) }
    const facts = { life: lifeOf(90), window, now, heldSince: start }
    const term = days(10 + 2 / 24)
    expect(planFor({ ...facts, term })).toEqual({
      ...{ renewAt: later(now, hours(2)), because: 'ca-says-now' },
    })
  })

  it.each([
    { that: 'leaves more than a day', life: 90, day: 10, hoursAway: [0, 25] },
    { that: 'is the usual one, nearly over', life: 90, day: 60.5, hoursAway: [-36, 12] },
    { that: 'is usual for a short life', life: 160 / 24, day: 3.2, hoursAway: [-3, 3] },
  ] as const)('takes its time in a window that $that', ({ life, day, hoursAway: [from, to] }) => {
    const now = later(start, days(day))
    const window = { start: later(now, hours(from)), end: later(now, hours(to)) }
    const plan = planFor({ life: lifeOf(life), window, now, heldSince: start })
    expect(plan.because).toBe('ca-suggested-it')
  })

  it('takes a point of the window that has gone by as due, and no more than that', () => {
    const now = later(start, days(60))
    const facts = { life: lifeOf(90), window: windowAt(59, 61), now, heldSince: start }
    const plan = planFor(facts, 0.25)
    expect(plan.because).toBe('ca-suggested-it')
    expect(dayOf(plan.renewAt)).toBeCloseTo(59.5)
  })

  it('keeps a fresh certificate for an hour, although its window is in the past', () => {
    const now = later(start, days(10))
    const past = { start: later(now, hours(-1)), end: later(now, hours(-0.5)) }
    const plan = planFor({ life: lifeOf(90), window: past, now })
    expect(plan).toEqual({ renewAt: later(now, hours(1)), because: 'ca-says-now' })
  })

  it('says at the end of a life that this is the reason, whatever the CA says', () => {
    const now = later(start, days(89))
    const past = { start: later(now, hours(-1)), end: later(now, hours(-0.5)) }
    const plan = planFor({ life: lifeOf(90), window: past, now, heldSince: start })
    expect(plan).toEqual({ renewAt: later(start, days(85.5)), because: 'nearly-expired' })
  })

  it('uses a certificate that is due when it comes for a tenth of what is left, an hour at least', () => {
    const old = later(start, days(70))
    const plan = planFor({ life: lifeOf(90), now: old })
    expect(plan).toEqual({ renewAt: later(old, days(2)), because: 'two-thirds-used' })
    const short = planFor({ life: lifeOf(0.1), now: later(start, hours(1)) })
    expect(short).toEqual({ renewAt: later(start, hours(2)), because: 'half-used' })
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
      held: fc.double({ min: 0, max: 0.999, noNaN: true }),
      used: fc.double({ min: 0, max: 1, noNaN: true }),
    })
    fc.assert(
      fc.property(inputs, ({ life, window, fraction, termDays, held, used }) => {
        const interval = window ? windowAt(...window) : undefined
        const heldDay = life * held
        const left = life - heldDay
        const nowDay = heldDay + left * used
        const [now, heldSince] = [later(start, days(nowDay)), later(start, days(heldDay))]
        const facts = { life: lifeOf(life), window: interval, term: days(termDays), now, heldSince }
        const renewDay = dayOf(planFor(facts, fraction).renewAt)
        const latest = Math.max(life * 0.95, life - left / 2)
        expect(renewDay).toBeLessThanOrEqual(latest + 1e-6)
        expect(renewDay - heldDay).toBeGreaterThanOrEqual(Math.min(1 / 24, left / 2) - 1e-6)
        const room = window ? Math.max(0, window[1] - window[0]) : 0
        const pause = Math.max(1 / 24, left / 10)
        const byTerm = Math.max(termDays + Math.min(room, life), heldDay + pause, nowDay)
        expect(renewDay).toBeLessThanOrEqual(byTerm + 1e-6)
      }),
    )
  })
})
