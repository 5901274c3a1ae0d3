import { expect, it } from 'vitest'
import { days, minutes } from '../../../src/kernel/index.ts'
import { describeEachStore } from '../../support/stores.ts'
import { anEvent, createEventsWorld, until } from './world.ts'

describeEachStore((openTestStore) => {
  it('keeps an event once, however often it is told', async () => {
    await using world = createEventsWorld(await openTestStore())
    const event = anEvent(world.clock)
    expect(await world.events.append(event)).toBe(true)
    expect(await world.events.append(event)).toBe(false)
    const both = await Promise.all([1, 2, 3].map(() => world.events.append(anEvent(world.clock))))
    expect(both).toEqual([true, true, true])
    const { items } = await world.events.page({ limit: 10 })
    expect(items).toHaveLength(4)
    expect(items.at(-1)).toEqual({ ...event, data: { sentence: 'It has a certificate.' } })
  })

  it('is written with what else the transaction does, or not at all', async () => {
    const store = await openTestStore()
    await using world = createEventsWorld(store)
    const event = anEvent(world.clock)
    const failing = store.transaction(async (trx) => {
      await world.events.append(event, trx)
      throw new Error('something else went wrong')
    })
    await expect(failing).rejects.toThrow('something else')
    expect((await world.events.page({ limit: 10 })).items).toEqual([])
    await store.transaction((trx) => world.events.append(event, trx))
    expect((await world.events.page({ limit: 10 })).items).toHaveLength(1)
  })

  it('is read newest first, page by page, by account, host and kind', async () => {
    await using world = createEventsWorld(await openTestStore())
    const kinds = ['issued', 'renewed', 'failing'] as const
    const drafts = Array.from({ length: 30 }, (_, index) =>
      anEvent(world.clock, {
        account: index % 2 === 0 ? 'one' : 'two',
        hostname: index < 10 ? 'a.test' : 'b.test',
        kind: kinds[index % 3] ?? 'issued',
      }),
    )
    for (const draft of drafts) await world.events.append(draft)
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = await world.events.page({ limit: 7, cursor })
      expect(page.items.length).toBeLessThanOrEqual(7)
      seen.push(...page.items.map(({ id }) => id))
      cursor = page.nextCursor
    } while (cursor !== undefined)
    expect(seen).toEqual(drafts.map(({ id }) => id).toReversed())

    const count = async (wishes: object): Promise<number> =>
      (await world.events.page({ limit: 100, ...wishes })).items.length
    expect(await count({ account: 'one' })).toBe(15)
    expect(await count({ hostname: 'a.test' })).toBe(10)
    expect(await count({ kind: 'failing' })).toBe(10)
    expect(await count({ account: 'two', hostname: 'a.test', kind: 'issued' })).toBe(2)
    expect(await count({ account: 'nobody' })).toBe(0)
  })

  it('forgets what is too old, with what became of it, and nothing else', async () => {
    const store = await openTestStore()
    await using world = createEventsWorld(store)
    await world.webhooks.set('default', 'http://127.0.0.1:9999/')
    const old = await world.tell()
    await world.clock.advance(days(390))
    const young = await world.tell()
    await store.db
      .updateTable('webhook_deliveries')
      .set({ state: 'given-up' })
      .where('event_id', '=', old.id)
      .execute()
    await using pruning = world.events.startPruning()
    const ids = async (): Promise<readonly string[]> =>
      (await world.events.page({ limit: 10 })).items.map(({ id }) => id)
    await world.clock.advance(minutes(1))
    expect(await ids()).toEqual([young.id, old.id])
    await world.clock.advance(days(11))
    pruning.wake()
    await until(async () => expect(await ids()).toEqual([young.id]))
    const deliveries = await store.db.selectFrom('webhook_deliveries').select('event_id').execute()
    expect(deliveries).toEqual([{ event_id: young.id }])
  })
  it('keeps what still waits for its receiver, whatever the clock says', async () => {
    const store = await openTestStore()
    await using world = createEventsWorld(store)
    const untold = await world.tell()
    await world.webhooks.set('default', 'http://127.0.0.1:9999/')
    const waits = await world.tell()
    await world.clock.advance(days(490))
    await using _pruning = world.events.startPruning()
    await until(async () => {
      const { items } = await world.events.page({ limit: 10 })
      expect(items.map(({ id }) => id)).toEqual([waits.id])
    })
    expect(untold.id).not.toBe(waits.id)
    expect((await world.webhooks.show('default'))?.waiting).toBe(1)
  })
})
