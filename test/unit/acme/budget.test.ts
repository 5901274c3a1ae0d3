import { describe, expect, it } from 'vitest'
import {
  ACCOUNT_BUCKET,
  type BudgetFacts,
  bucketsOf,
  LATENESS_MS_MAX,
  renewalsPerHour,
  shapeOf,
  tokensLeft,
} from '../../../src/acme/budget.ts'
import { letsencrypt } from '../../../src/acme/cas/letsencrypt.ts'
import { type CaLimits, type OrderKind, UNLIMITED } from '../../../src/acme/limits.ts'
import {
  days,
  hours,
  minutes,
  seconds,
  URGENCIES,
  type Urgency,
} from '../../../src/kernel/index.ts'
import { A_FEW, A_MILLION, AN_ORDER, aBook, BOOK_NOW as NOW } from '../../support/budget-book.ts'

describe('judging a first order at a CA like Let’s Encrypt', () => {
  const { limits } = letsencrypt

  it('allows it when all is full, and takes one token of each bucket', () => {
    const verdict = aBook(limits).judge()
    expect(verdict).toEqual({
      kind: 'allowed',
      spend: [
        { limit: 'orders-per-account', bucket: ACCOUNT_BUCKET, fullAtMs: NOW + seconds(36) },
        { limit: 'certificates-per-domain', bucket: 'customer.com', fullAtMs: NOW + days(7) / 50 },
        { limit: 'certificates-per-name', bucket: AN_ORDER.hostname, fullAtMs: NOW + days(7) / 5 },
      ],
    })
  })

  it('keeps a tenth of the orders for certificates that end, and half of them from idle hosts', () => {
    const room = (urgency: Urgency) => aBook(limits).room(urgency)
    expect(URGENCIES.map(room)).toEqual([296, 60, 266, 45, 30])
  })

  it('counts the orders of other names, until the account has to wait for one token', () => {
    const book = aBook(limits)
    for (let host = 0; host < 266; host += 1) {
      const names = { hostname: `email.h${host}.test`, domain: `h${host}.test` }
      expect(book.order(names).kind).toBe('allowed')
    }
    expect(book.judge()).toEqual({
      ...{ kind: 'denied', limit: 'orders-per-account', scope: 'account' },
      until: new Date(NOW + seconds(12)),
    })
    expect(book.judge({ urgency: 'expiring' }).kind).toBe('allowed')
    const later = NOW + seconds(12)
    expect(book.judge({}, later - 1).kind).toBe('denied')
    expect(book.judge({}, later).kind).toBe('allowed')
  })

  it('stops one name after five certificates in a week', () => {
    const book = aBook(limits)
    for (let times = 0; times < 4; times += 1) expect(book.order().kind).toBe('allowed')
    // The fifth once it is sure that the CA has counted the others.
    const later = NOW + LATENESS_MS_MAX
    expect(book.judge()).toMatchObject({ limit: 'certificates-per-name', until: new Date(later) })
    expect(book.order({}, later).kind).toBe('allowed')
    expect(book.judge({}, later)).toMatchObject({ kind: 'denied', scope: 'name' })
    expect(book.judge({ hostname: 'news.customer.com' }).kind).toBe('allowed')
  })

  it('stops a domain after fifty names', () => {
    const book = aBook(limits)
    for (let host = 0; host < 50; host += 1) {
      const nowMs = NOW + (host < 49 ? 0 : LATENESS_MS_MAX)
      expect(book.order({ hostname: `h${host}.customer.com` }, nowMs).kind).toBe('allowed')
    }
    expect(book.judge({ hostname: 'news.customer.com' })).toMatchObject({
      ...{ kind: 'denied', limit: 'certificates-per-domain', scope: 'name' },
      until: new Date(NOW + days(7) / 50 + LATENESS_MS_MAX),
    })
  })

  it('orders nothing for a name whose validations failed five times in an hour', () => {
    const book = aBook(limits)
    const failures = { limit: 'failures-per-name', bucket: AN_ORDER.hostname } as const
    book.note({ ...failures, fullAtMs: NOW + hours(1) })
    expect(book.judge()).toMatchObject({
      ...{ kind: 'denied', limit: 'failures-per-name' },
      until: new Date(NOW + minutes(12) + LATENESS_MS_MAX),
    })
    book.note({ ...failures, fullAtMs: NOW + minutes(40) })
    const verdict = book.judge()
    expect(verdict.kind === 'allowed' && verdict.spend.map(({ limit }) => limit)).not.toContain(
      'failures-per-name',
    )
  })

  it('tells the farthest of several reasons', () => {
    const book = aBook(limits)
    book.note({ limit: 'orders-per-account', bucket: ACCOUNT_BUCKET, fullAtMs: NOW + hours(3) })
    expect(book.judge()).toMatchObject({ limit: 'orders-per-account' })
    const until = NOW + days(2)
    book.note({ limit: 'told-to-wait', bucket: AN_ORDER.hostname, fullAtMs: until })
    expect(book.judge()).toEqual({
      ...{ kind: 'denied', limit: 'told-to-wait', scope: 'name', until: new Date(until) },
    })
  })

  it('does what the CA itself says, to the second', () => {
    const book = aBook(UNLIMITED)
    const until = NOW + seconds(90)
    book.note({ limit: 'told-to-wait', bucket: ACCOUNT_BUCKET, fullAtMs: until })
    expect(book.judge()).toMatchObject({ scope: 'account', until: new Date(until) })
    expect(book.room('expiring')).toBe(0)
    expect(book.judge({}, until).kind).toBe('allowed')
    expect(book.room('expiring', { nowMs: until })).toBe(1000)
  })
})

describe('judging a renewal', () => {
  const { limits } = letsencrypt
  const limitsTouched = (kind: OrderKind, urgency: Urgency) =>
    bucketsOf({ ...AN_ORDER, limits, fleet: A_FEW, kind, urgency })
      .map(({ limit }) => limit)
      .filter((limit) => limit !== 'told-to-wait')

  it('counts the same name against less, and inside the window of the CA against nothing', () => {
    expect(limitsTouched('renewal', 'expiring')).toEqual([
      'certificates-per-name',
      'failures-per-name',
    ])
    expect(limitsTouched('ari-renewal', 'expiring')).toEqual([])
    expect(limitsTouched('ari-renewal', 'renewal')).toEqual(['own-pace'])
  })

  it.each([
    ['expiring', 'no pace'],
    ['first', 'no pace'],
    ['replace-now', 'the pace'],
    ['renewal', 'the pace'],
    ['idle', 'the pace'],
  ] as const)('keeps %s to %s of our own', (urgency, pace) => {
    const isPaced = limitsTouched('ari-renewal', urgency).includes('own-pace')
    expect(isPaced).toBe(pace === 'the pace')
  })

  const orderedInAnHour = (fleet: BudgetFacts['fleet']): number => {
    const book = aBook(limits, fleet)
    let ordered = 0
    for (let nowMs = NOW; nowMs < NOW + hours(1); nowMs += seconds(1)) {
      const order = { kind: 'ari-renewal', urgency: 'replace-now' } as const
      while (book.order(order, nowMs).kind === 'allowed') ordered += 1
    }
    return ordered
  }

  it('orders at most half as much again as a big fleet needs in the mean', () => {
    const mean = A_MILLION.hosts / (A_MILLION.termMs / hours(1))
    const ordered = orderedInAnHour(A_MILLION)
    expect(ordered).toBeGreaterThan(1.4 * mean)
    expect(ordered).toBeLessThan(1.6 * mean)
    expect(renewalsPerHour(limits, A_MILLION) / mean).toBeCloseTo(1.4)
  })

  it('lets a small fleet have six hundred an hour', () => {
    expect(orderedInAnHour(A_FEW)).toBeGreaterThanOrEqual(600)
    expect(orderedInAnHour(A_FEW)).toBeLessThanOrEqual(660)
    expect(renewalsPerHour(limits, A_FEW)).toBeCloseTo(600)
    expect(renewalsPerHour(UNLIMITED, A_FEW)).toBe(Number.POSITIVE_INFINITY)
  })

  it('lets what must be replaced now go first, as the last tokens are its own', () => {
    const book = aBook(limits)
    const urgent = { kind: 'ari-renewal', urgency: 'replace-now' } as const
    const planned = { kind: 'ari-renewal', urgency: 'renewal' } as const
    while (book.order(planned).kind === 'allowed');
    expect(book.room('replace-now', { kind: 'ari-renewal' })).toBe(15)
    expect(book.order(urgent).kind).toBe('allowed')
  })
})

describe('a clock that was set', () => {
  it('back: a bucket counts as empty, and no emptier', () => {
    const { limits } = letsencrypt
    const book = aBook(limits)
    const dayAhead = NOW + days(1)
    book.note({ limit: 'orders-per-account', bucket: ACCOUNT_BUCKET, fullAtMs: dayAhead })
    expect(book.judge({ urgency: 'expiring' })).toMatchObject({
      until: new Date(NOW + seconds(36) + LATENESS_MS_MAX),
    })
    expect(book.room('expiring')).toBe(0)
  })
})

describe('a bucket of one token', () => {
  it('is there for every urgency', () => {
    const orders = { 'orders-per-account': { capacity: 1, per: hours(1) } }
    const limits: CaLimits = { ...UNLIMITED, orders }
    for (const urgency of URGENCIES) {
      const book = aBook(limits)
      expect(book.room(urgency)).toBe(1)
      expect(book.order({ urgency }).kind).toBe('allowed')
      expect(book.order({ urgency }).kind).toBe('denied')
    }
  })

  it('counts whole tokens only', () => {
    const shape = shapeOf({ capacity: 10, per: seconds(10) })
    const left = (fullInMs: number) => tokensLeft({ shape, reserve: 0 }, NOW + fullInMs, NOW)
    // The CA may be a second behind us, which is a token here.
    expect([-5_000, -1_000, 0, 999, 1_000, 8_000, 8_001, 99_000].map(left)).toEqual([
      ...[9, 9, 9, 8, 8, 1, 0, 0],
    ])
  })
})
