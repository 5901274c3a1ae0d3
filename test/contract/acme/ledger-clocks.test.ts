import { describe, expect, it } from 'vitest'
import { LATENESS_MS_MAX } from '../../../src/acme/budget.ts'
import { days, hours, minutes, seconds } from '../../../src/kernel/index.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { aCa, aLedger, aName, settable } from '../../support/ledgers.ts'
import { describeEachStore } from '../../support/stores.ts'

describeEachStore((openTestStore) => {
  describe('a clock that was set', () => {
    it('forward fills no bucket', async () => {
      const store = await openTestStore()
      const clock = settable(createFakeClock())
      const orders = { 'orders-per-account': { capacity: 20, per: hours(3) } }
      const ca = aCa(orders)
      const { ledger, spend, peek } = aLedger(store, clock)
      for (let host = 0; host < 20; host += 1) {
        await spend({ ca, urgency: 'expiring', hostname: aName(`h${host}.test`) })
      }
      clock.set(hours(3))
      expect(await spend({ ca, urgency: 'expiring' })).toMatchObject({ kind: 'denied' })
      const rooms = await Promise.all(
        Array.from({ length: 5 }, () => ledger.room(ca, { kind: 'first', urgency: 'expiring' })),
      )
      expect(rooms).toEqual([0, 0, 0, 0, 0])
      expect(await peek({ ca, urgency: 'expiring' })).toMatchObject({
        until: new Date(clock.now().getTime() + LATENESS_MS_MAX),
      })
    })

    it('back makes nobody wait for longer than an empty bucket does', async () => {
      const store = await openTestStore()
      const fake = createFakeClock()
      const clock = settable(fake)
      const { spend, peek } = aLedger(store, clock)
      for (let host = 0; host < 280; host += 1) {
        await spend({ urgency: 'expiring', hostname: aName(`h${host}.test`) })
      }
      clock.set(-days(1))
      const denied = await peek({ urgency: 'expiring' })
      const waitMs = seconds(36) + LATENESS_MS_MAX
      expect(denied).toMatchObject({ until: new Date(clock.now().getTime() + waitMs) })
      await fake.advance(waitMs)
      expect((await peek({ urgency: 'expiring' })).kind).toBe('allowed')
    })
  })

  describe('nodes whose clocks are apart', () => {
    const orders = {
      'orders-per-account': { capacity: 20, per: hours(3) },
      'failures-per-name': { capacity: 2, per: hours(1) },
    }
    const ca = aCa(orders)
    const apart = async (aheadMs: number) => {
      const [store, fake] = [await openTestStore(), createFakeClock()]
      const ahead = settable(fake)
      ahead.set(aheadMs)
      return { store, fake, one: aLedger(store, ahead), other: aLedger(store, fake) }
    }

    it('by minutes give nothing away that the other has spent, however often they look', async () => {
      const { one, other } = await apart(minutes(50))
      let allowed = 0
      for (let host = 0; host < 80; host += 1) {
        const hostname = aName(`h${host}.test`)
        const order = { ca, kind: 'first', urgency: 'expiring', hostname } as const
        const node = host % 2 === 0 ? one : other
        await node.peek(order)
        await node.ledger.room(ca, order)
        if ((await node.spend(order)).kind === 'allowed') allowed += 1
      }
      expect(allowed).toBeLessThanOrEqual(20)
    })

    it('by minutes leave a name in peace that failed too often', async () => {
      const { store, one, other } = await apart(minutes(50))
      const written = () =>
        store.db
          .selectFrom('acme_ledger')
          .select('full_at')
          .where('limit_name', '=', 'failures-per-name')
          .executeTakeFirstOrThrow()
      for (let times = 0; times < 3; times += 1) await one.ledger.failed(ca, aName())
      const before = await written()
      await other.ledger.failed(ca, aName())
      expect(await written()).toEqual(before)
    })

    it('by more than an hour: what lies further ahead than that is nonsense', async () => {
      const { fake, one, other } = await apart(hours(30))
      const expiring = { ca, urgency: 'expiring' } as const
      for (let host = 0; host < 20; host += 1) {
        await one.spend({ ...expiring, hostname: aName(`h${host}.test`) })
      }
      expect((await other.peek(expiring)).kind).toBe('denied')
      await fake.advance(minutes(11))
      expect((await other.peek(expiring)).kind).toBe('allowed')
    })
  })
})
