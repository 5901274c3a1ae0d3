import { describe, expect, it } from 'vitest'
import { LATENESS_MS_MAX } from '../../../src/acme/budget.ts'
import { letsencrypt } from '../../../src/acme/cas/letsencrypt.ts'
import { findCertificateAuthority } from '../../../src/acme/cas/list.ts'
import type { OrderToPlace } from '../../../src/acme/ledger.ts'
import { type Clock, days, hours, minutes, seconds } from '../../../src/kernel/index.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { aCa, aLedger, aName } from '../../support/ledgers.ts'
import { describeEachEngine } from '../../support/stores.ts'

describeEachEngine(({ openTestStore, engine }) => {
  describe('the ledger', () => {
    it('takes what an order costs with the transaction that writes it down', async () => {
      const [store, clock] = [await openTestStore(), createFakeClock()]
      const { spend, ledger, order } = aLedger(store, clock)
      expect((await spend()).kind).toBe('allowed')
      const rows = store.db.selectFrom('acme_ledger').select(['limit_name', 'bucket', 'full_at'])
      expect(await rows.orderBy('limit_name').execute()).toEqual([
        {
          ...{ limit_name: 'certificates-per-domain', bucket: 'customer.com' },
          full_at: clock.now().getTime() + days(7) / 50,
        },
        {
          ...{ limit_name: 'certificates-per-name', bucket: 'email.customer.com' },
          full_at: clock.now().getTime() + days(7) / 5,
        },
        {
          ...{ limit_name: 'orders-per-account', bucket: '' },
          full_at: clock.now().getTime() + seconds(36),
        },
      ])
      const undone = store.transaction(async (trx) => {
        await ledger.spend(order({ hostname: aName('a.other.com') }), trx)
        throw new Error('the intention could not be written')
      })
      await expect(undone).rejects.toThrow('could not be written')
      expect(await rows.execute()).toHaveLength(3)
    })

    it('outlives the process', async () => {
      const [store, clock] = [await openTestStore(), createFakeClock()]
      for (let host = 0; host < 266; host += 1) {
        await aLedger(store, clock).spend({ hostname: aName(`email.h${host}.test`) })
      }
      const { peek, ledger } = aLedger(store, clock)
      expect(await peek()).toMatchObject({ kind: 'denied', limit: 'orders-per-account' })
      expect(await ledger.room(letsencrypt, { kind: 'first', urgency: 'first' })).toBe(0)
      expect(await ledger.room(letsencrypt, { kind: 'first', urgency: 'expiring' })).toBe(30)
      await clock.advance(hours(1))
      expect(await ledger.room(letsencrypt, { kind: 'first', urgency: 'first' })).toBe(100)
    })

    it('never lets those who spend at once spend the same', async () => {
      const clock = createFakeClock()
      const store = await openTestStore()
      const orders = { 'orders-per-account': { capacity: 20, per: hours(3) } }
      const [one, other] = [aLedger(store, clock), aLedger(store, clock)]
      const verdicts = await Promise.all(
        Array.from({ length: 40 }, (_, host) =>
          (host % 2 === 0 ? one : other).spend({
            ...{ ca: aCa(orders), hostname: aName(`h${host}.test`), urgency: 'expiring' },
          }),
        ),
      )
      // One less than all: the CA may be two minutes behind us.
      expect(verdicts.filter(({ kind }) => kind === 'allowed')).toHaveLength(19)
    })

    it('costs at most two statements, and none at a CA without limits', async () => {
      const [store, clock] = [await openTestStore(), createFakeClock()]
      const { ledger, order } = aLedger(store, clock)
      const own = findCertificateAuthority('https://127.0.0.1:14000/dir')
      if (!own) throw new Error('no CA')
      const statementsOf = (work: OrderToPlace): Promise<number> =>
        store.transaction(async (trx) => {
          let count = 0
          const counting = trx.withPlugin({
            transformQuery: ({ node }) => {
              count += 1
              return node
            },
            transformResult: async ({ result }) => result,
          })
          await ledger.spend(work, counting as typeof trx)
          return count
        })
      expect(await statementsOf(order())).toBe(2)
      expect(await statementsOf(order({ kind: 'ari-renewal', urgency: 'expiring' }))).toBe(1)
      // Whether it told anybody to wait is asked once in ten seconds.
      expect(await statementsOf(order({ ca: own }))).toBe(1)
      expect(await statementsOf(order({ ca: own }))).toBe(0)
      expect(await ledger.peek(order({ ca: own }))).toEqual({ kind: 'allowed', spend: [] })
      expect(await ledger.room(own, { kind: 'first', urgency: 'first' })).toBe(1_000)
    })

    it('counts a certificate from when it was issued, not from when it was ordered', async () => {
      const [store, clock] = [await openTestStore(), createFakeClock()]
      const { ledger, spend, peek } = aLedger(store, clock)
      const issuedAfter = async (ms: number): Promise<void> => {
        expect((await spend()).kind).toBe('allowed')
        await clock.advance(ms)
        await ledger.succeeded(letsencrypt, aName())
      }
      await issuedAfter(days(3))
      for (let times = 0; times < 3; times += 1) await issuedAfter(0)
      await clock.advance(LATENESS_MS_MAX)
      await issuedAfter(0)
      // Five since three days after the first order.
      expect(await peek()).toMatchObject({
        limit: 'certificates-per-name',
        until: new Date(clock.now().getTime() + hours(33.6)),
      })
    })
  })

  describe('failed validations', () => {
    it('stop a name after five in an hour, and it alone', async () => {
      const [store, clock] = [await openTestStore(), createFakeClock()]
      const { ledger, peek } = aLedger(store, clock)
      for (let times = 0; times < 7; times += 1) await ledger.failed(letsencrypt, aName())
      expect(await peek()).toEqual({
        ...{ kind: 'denied', limit: 'failures-per-name', scope: 'name' },
        until: new Date(clock.now().getTime() + minutes(12) + LATENESS_MS_MAX),
      })
      expect((await peek({ hostname: aName('a.other.com') })).kind).toBe('allowed')
      await clock.advance(minutes(14))
      expect((await peek()).kind).toBe('allowed')
    })

    it('in a row are counted, forgotten one by one, and all at once with a success', async () => {
      const [store, clock] = [await openTestStore(), createFakeClock()]
      const { ledger } = aLedger(store, clock)
      const inARow = async () => (await ledger.standing(letsencrypt, aName())).failuresInARow
      expect(await inARow()).toBe(0)
      for (let times = 0; times < 5; times += 1) {
        await ledger.failed(letsencrypt, aName())
        await clock.advance(hours(12))
      }
      // The last counted at 48 h, two of them forgotten; and the next at 72 h.
      expect(await inARow()).toBe(3)
      await clock.advance(hours(12))
      expect(await inARow()).toBe(2)
      await store.transaction((trx) => ledger.succeeded(letsencrypt, aName(), trx))
      expect(await inARow()).toBe(0)
      await ledger.failed(letsencrypt, aName())
      await clock.advance(days(30))
      expect(await inARow()).toBe(0)
    })

    it('are ended by ourselves before the CA pauses the name, but for one a day', async () => {
      const [store, clock] = [await openTestStore(), createFakeClock()]
      const ca = aCa({ 'failures-in-a-row': { capacity: 40, per: days(40) } })
      const { ledger } = aLedger(store, clock)
      const standing = () => ledger.standing(ca, aName())
      for (let times = 0; times < 37; times += 1) await ledger.failed(ca, aName())
      expect(await standing()).toMatchObject({ failuresInARow: 37, restUntil: undefined })
      await ledger.failed(ca, aName())
      const { restUntil } = await standing()
      expect(restUntil).toEqual(new Date(clock.now().getTime() + days(1)))
      await clock.advance(days(1))
      expect(await standing()).toMatchObject({ failuresInARow: 37, restUntil: undefined })
    })
  })

  describe('a pause by the CA', () => {
    it('is kept with its link, shown, and ends with a success, or a failure that the CA allowed', async () => {
      const [store, clock] = [await openTestStore(), createFakeClock()]
      const { ledger } = aLedger(store, clock)
      const pausedAt = clock.now()
      await ledger.paused(letsencrypt, aName(), 'https://ca.test/unpause?jwt=abc')
      await clock.advance(hours(1))
      await ledger.paused(letsencrypt, aName())
      const shown = { pausedAt, unpauseUrl: 'https://ca.test/unpause?jwt=abc' }
      expect(await ledger.standing(letsencrypt, aName())).toMatchObject(shown)
      expect(await ledger.pausedNames(letsencrypt)).toEqual([{ hostname: aName(), ...shown }])
      // The CA has looked at it again.
      await ledger.failed(letsencrypt, aName())
      expect(await ledger.standing(letsencrypt, aName())).toEqual({ failuresInARow: 1 })
      await ledger.paused(letsencrypt, aName(), 'https://ca.test/unpause?jwt=def')
      await ledger.succeeded(letsencrypt, aName())
      expect(await ledger.pausedNames(letsencrypt)).toEqual([])
    })
  })

  describe('a rate limit that nobody foresaw', () => {
    const own = findCertificateAuthority('https://127.0.0.1:14000/dir') ?? letsencrypt
    const inSeconds = (clock: Clock, count: number): Date =>
      new Date(clock.now().getTime() + seconds(count))

    it('is obeyed to the second, even at a CA without limits, and reported', async () => {
      const [store, clock] = [await openTestStore(), createFakeClock()]
      const { ledger, peek, spend, unforeseen } = aLedger(store, clock)
      expect((await spend({ ca: own })).kind).toBe('allowed')
      const retryAt = inSeconds(clock, 90)
      await ledger.refused(own, { hostname: aName(), retryAt })
      const denied = { kind: 'denied', limit: 'told-to-wait', until: retryAt, scope: 'name' }
      expect(await peek({ ca: own })).toEqual(denied)
      expect(await spend({ ca: own })).toEqual(denied)
      expect((await peek({ ca: own, hostname: aName('a.other.com') })).kind).toBe('allowed')
      await clock.advance(seconds(89) + 999)
      expect((await peek({ ca: own })).kind).toBe('denied')
      await clock.advance(1)
      expect((await peek({ ca: own })).kind).toBe('allowed')
      expect(unforeseen).toMatchObject([{ hostname: aName(), scope: 'name', retryAt }])
    })

    it('holds the whole account from the third name within a minute on', async () => {
      const [store, clock] = [await openTestStore(), createFakeClock()]
      const { ledger, peek, unforeseen } = aLedger(store, clock)
      const other = { ca: own, hostname: aName('a.other.com') }
      const refuse = (host: string, secondsToWait: number) =>
        ledger.refused(own, { hostname: aName(host), retryAt: inSeconds(clock, secondsToWait) })
      await refuse('a.one.com', 600)
      await refuse('a.one.com', 30)
      await clock.advance(seconds(61))
      await refuse('a.two.com', 40)
      await refuse('a.three.com', 200)
      expect((await peek(other)).kind).toBe('allowed')
      const farthest = inSeconds(clock, 200)
      await refuse('a.four.com', 30)
      expect(await peek(other)).toMatchObject({ scope: 'account', until: farthest })
      expect(await ledger.room(own, { kind: 'renewal', urgency: 'expiring' })).toBe(0)
      expect(unforeseen.map(({ scope }) => scope)).toEqual([
        ...['name', 'name', 'name', 'name', 'account'],
      ])
    })

    it('is heard of by another node within ten seconds', async () => {
      const [store, clock] = [await openTestStore(), createFakeClock()]
      const [here, there] = [aLedger(store, clock), aLedger(store, clock)]
      expect((await there.peek({ ca: own })).kind).toBe('allowed')
      await here.ledger.refused(own, { hostname: aName(), retryAt: inSeconds(clock, 90) })
      await clock.advance(seconds(10))
      expect((await there.peek({ ca: own })).kind).toBe('denied')
    })
  })

  it('shows what is left of the account, and whom the least is left', async () => {
    const [store, clock] = [await openTestStore(), createFakeClock()]
    const { ledger, spend, left } = aLedger(store, clock)
    for (let host = 0; host < 7; host += 1) await spend({ hostname: aName(`h${host}.a.test`) })
    await spend({ hostname: aName('h0.a.test'), kind: 'renewal', urgency: 'renewal' })
    await ledger.refused(letsencrypt, {
      hostname: aName('h1.a.test'),
      retryAt: new Date(clock.now().getTime() + hours(1)),
    })
    const status = await ledger.status(letsencrypt)
    expect(status.slice(0, 2)).toEqual([
      {
        ...{ limit: 'orders-per-account', bucket: undefined, capacity: 300, left: 293 },
        ...{ fullAt: new Date(clock.now().getTime() + 7 * seconds(36)), per: hours(3) },
      },
      expect.objectContaining({ limit: 'own-pace', capacity: 60, left: 59, per: minutes(6) }),
    ])
    expect(status.slice(2).map(({ limit, bucket, left: some }) => [limit, bucket, some])).toEqual([
      ['told-to-wait', 'h1.a.test', 0],
      ['certificates-per-domain', 'a.test', 43],
      ['certificates-per-name', 'h0.a.test', 3],
      ...Array.from({ length: 4 }, () => ['certificates-per-name', expect.any(String), 4]),
    ])
    expect([...left]).toEqual([
      ['orders-per-account', 293],
      ['own-pace', 59],
    ])
  })

  it('forgets in the end what is as if it had never been', async () => {
    const [store, clock] = [await openTestStore(), createFakeClock()]
    const { ledger, spend, left } = aLedger(store, clock)
    await spend()
    await ledger.room(letsencrypt, { kind: 'first', urgency: 'first' })
    await ledger.failed(letsencrypt, aName())
    await ledger.paused(letsencrypt, aName('a.paused.com'))
    const counts = async () => [
      (await store.db.selectFrom('acme_ledger').selectAll().execute()).length,
      (await store.db.selectFrom('acme_names').selectAll().execute()).length,
    ]
    expect(await counts()).toEqual([4, 2])
    await clock.advance(minutes(30))
    await ledger.sweep()
    expect(await counts()).toEqual([2, 2])
    await clock.advance(days(3))
    await ledger.sweep()
    expect(await counts()).toEqual([0, 1])
    expect([...left]).toEqual([
      ['orders-per-account', 300],
      ['own-pace', 60],
    ])
  })

  it(`keeps thousands of names apart on ${engine}`, async () => {
    const [store, clock] = [await openTestStore(), createFakeClock()]
    const { ledger } = aLedger(store, clock)
    const nowMs = clock.now().getTime()
    const rows = Array.from({ length: 2_500 }, (_, host) => ({
      ...{ ca: letsencrypt.name, limit_name: 'certificates-per-name', bucket: `h${host}.test` },
      full_at: nowMs - hours(1),
    }))
    for (let from = 0; from < rows.length; from += 500) {
      await store.db
        .insertInto('acme_ledger')
        .values(rows.slice(from, from + 500))
        .execute()
    }
    await ledger.sweep()
    expect(await store.db.selectFrom('acme_ledger').selectAll().execute()).toEqual([])
  })
})
