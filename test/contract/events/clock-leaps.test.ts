import { expect, it } from 'vitest'
import { days, hours, minutes } from '../../../src/kernel/index.ts'
import { describeEachStore } from '../../support/stores.ts'
import { received, setUp, tellMany, until, waiting } from './world.ts'

const LEAP = days(90)

describeEachStore((openTestStore) => {
  it('gives nothing up when the clock leaps ahead, whatever fails meanwhile', async () => {
    await using owner = new AsyncDisposableStack()
    const store = await openTestStore()
    const { receiver, world } = await setUp(store, owner)
    receiver.answer(503)
    const ids = await tellMany(world, 5)
    await received(receiver, 1)
    const failed = (failures: number) =>
      until(async () => {
        expect(await world.webhooks.show('default')).toMatchObject({ failures, waiting: 5 })
      })
    await failed(1)
    world.pass(LEAP)
    await failed(2)
    await using _pruning = world.events.startPruning()
    await until(async () => expect((await world.webhooks.show('default'))?.waiting).toBe(5))

    // The clock is put right. What it held until then is held no more.
    receiver.answer(200)
    world.pass(-LEAP)
    await waiting(world, 0)
    expect(receiver.ids().slice(-5)).toEqual(ids)
    expect((await world.webhooks.show('default'))?.givenUp).toBe(0)
  })

  it('gives up nothing young then, however long its receiver has been away', async () => {
    await using owner = new AsyncDisposableStack()
    const store = await openTestStore()
    const { receiver, world } = await setUp(store, owner)
    receiver.answer(503)
    const fail = async (ms: number): Promise<void> => {
      const { failures = 0 } = (await world.webhooks.show('default')) ?? {}
      world.pass(ms)
      await until(async () => {
        expect((await world.webhooks.show('default'))?.failures).toBeGreaterThan(failures)
      })
    }
    for (let count = 0; count < 18; count += 1) {
      await tellMany(world, 1)
      await fail(hours(9))
    }
    expect((await world.webhooks.show('default'))?.givenUp).toBeGreaterThan(0)
    const young = await tellMany(world, 2)
    await fail(hours(9))
    await fail(LEAP)
    const kept = await store.db
      .selectFrom('webhook_deliveries')
      .select('event_id')
      .where('state', '=', 'waiting')
      .execute()
    expect(kept.map(({ event_id }) => event_id)).toEqual(expect.arrayContaining([...young]))
  })

  it('tells what comes after a leap back: a turn and a hold from then are over', async () => {
    await using owner = new AsyncDisposableStack()
    const store = await openTestStore()
    const { receiver, world } = await setUp(store, owner)
    world.pass(LEAP)
    receiver.answer(503)
    await tellMany(world, 1)
    await received(receiver, 1)
    await until(async () => expect((await world.webhooks.show('default'))?.failures).toBe(1))
    // Somebody died in the middle of a turn, at that time.
    const leaseUntil = world.clock.now().getTime() + minutes(1)
    await store.db.updateTable('webhooks').set({ lease_until: leaseUntil }).execute()
    receiver.answer(200)
    world.pass(-LEAP)
    await tellMany(world, 1)
    await waiting(world, 0)
  })
})
