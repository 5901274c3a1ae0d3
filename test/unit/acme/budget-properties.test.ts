import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { shapeOf } from '../../../src/acme/budget.ts'
import { letsencrypt } from '../../../src/acme/cas/letsencrypt.ts'
import type { OrderKind } from '../../../src/acme/limits.ts'
import { days, hours, seconds, URGENCIES } from '../../../src/kernel/index.ts'
import { aBook, BOOK_NOW as NOW } from '../../support/budget-book.ts'
import { createCountedBucket } from '../../support/fault-front/counted-bucket.ts'

describe('whatever is allowed', () => {
  const someLimits = fc
    .record({
      account: fc.record({
        capacity: fc.integer({ min: 1, max: 30 }),
        perS: fc.integer({ min: 60, max: 9_000 }),
      }),
      domain: fc.record({
        capacity: fc.integer({ min: 1, max: 8 }),
        perS: fc.integer({ min: 60, max: 90_000 }),
      }),
      name: fc.record({
        capacity: fc.integer({ min: 1, max: 4 }),
        perS: fc.integer({ min: 60, max: 90_000 }),
      }),
    })
    .map(({ account, domain, name }) => {
      const bucket = ({ capacity, perS }: typeof account) => ({ capacity, per: seconds(perS) })
      return {
        'orders-per-account': bucket(account),
        'certificates-per-domain': bucket(domain),
        'certificates-per-name': bucket(name),
      } as const
    })
  const someSteps = fc.array(
    fc.record({
      host: fc.integer({ min: 0, max: 8 }),
      kind: fc.constantFrom<OrderKind>('first', 'renewal', 'ari-renewal'),
      urgency: fc.constantFrom(...URGENCIES),
      waitMs: fc.oneof(
        fc.integer({ min: 0, max: 2_000 }),
        fc.integer({ min: 0, max: hours(1) }),
        fc.integer({ min: 0, max: days(1) }),
      ),
      /** How much later the CA hears of it, as a share of what we reckon with. */
      late: fc.double({ min: 0, max: 1, noNaN: true }),
      /** Our clock is set back by so much. */
      setBackMs: fc.oneof(
        { weight: 9, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.integer({ min: 0, max: days(2) }) },
      ),
    }),
    { maxLength: 150 },
  )

  it('is accepted by a CA that counts exactly, whatever names, kinds and clocks', () => {
    fc.assert(
      fc.property(someLimits, someSteps, (orders, steps) => {
        const limits = { ...letsencrypt.limits, orders }
        const book = aBook(limits)
        const latenessMs = Math.min(...Object.values(orders).map((one) => shapeOf(one).latenessMs))
        const counted = new Map<string, ReturnType<typeof createCountedBucket>>()
        const take = (limit: keyof typeof orders, bucket: string, atMs: number): boolean => {
          const key = `${limit}/${bucket}`
          const one =
            counted.get(key) ??
            createCountedBucket({ capacity: orders[limit].capacity, perMs: orders[limit].per })
          counted.set(key, one)
          return one.take(atMs)
        }
        let [trueMs, ourMs, heardMs] = [NOW, NOW, NOW]
        for (const { host, kind, urgency, waitMs, late, setBackMs } of steps) {
          trueMs += waitMs
          ourMs += waitMs - setBackMs
          const names = { hostname: `h${host}.d${host % 3}.test`, domain: `d${host % 3}.test` }
          const verdict = book.order({ ...names, kind, urgency }, ourMs)
          if (verdict.kind === 'denied') continue
          // In any order of arrival the CA's clock runs forward.
          heardMs = Math.max(heardMs, trueMs + late * latenessMs)
          const isAccepted = verdict.spend.every(
            ({ limit, bucket }) =>
              limit === 'own-pace' || take(limit as keyof typeof orders, bucket, heardMs),
          )
          expect(isAccepted).toBe(true)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('is never denied again at the instant until which it was denied', () => {
    fc.assert(
      fc.property(someLimits, someSteps, (orders, steps) => {
        const book = aBook({ ...letsencrypt.limits, orders })
        let nowMs = NOW
        for (const { host, kind, urgency, waitMs } of steps) {
          nowMs += waitMs
          const order = { hostname: `h${host}.test`, domain: 'one.test', kind, urgency }
          const verdict = book.order(order, nowMs)
          if (verdict.kind === 'allowed') continue
          expect(verdict.until.getTime()).toBeGreaterThan(nowMs)
          expect(book.judge(order, verdict.until.getTime() - 1).kind).toBe('denied')
          expect(book.judge(order, verdict.until.getTime()).kind).toBe('allowed')
        }
      }),
    )
  })

  it('comes to exactly the room there is', () => {
    fc.assert(
      fc.property(
        someLimits,
        fc.constantFrom(...URGENCIES),
        fc.nat(20),
        (orders, urgency, before) => {
          const limits = {
            ...letsencrypt.limits,
            orders: { 'orders-per-account': orders['orders-per-account'] },
          }
          const book = aBook(limits)
          for (let host = 0; host < before; host += 1) book.order({ hostname: `b${host}.test` })
          const room = book.room(urgency)
          let ordered = 0
          while (book.order({ hostname: `h${ordered}.test`, urgency }).kind === 'allowed')
            ordered += 1
          expect(ordered).toBe(room)
        },
      ),
    )
  })
})
