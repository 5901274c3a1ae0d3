import { expect } from 'vitest'
import { hours } from '../../../src/kernel/index.ts'
import { openSqliteTestStore } from '../../support/stores.ts'
import { anEvent, createEventsWorld, startReceiver, until } from './world.ts'

const accounts = Array.from({ length: 100 }, (_, index) => `account-${index}`)

/** A hundred accounts are told of so many events, and the receiver of one of them never answers. */
export async function tellOfOneDeadReceiver(count: number): Promise<void> {
  await using store = await openSqliteTestStore()
  await using receiver = await startReceiver()
  await using world = createEventsWorld(store)
  const [dead = ''] = accounts
  receiver.answer(({ path }, response) => {
    if (path !== `/${dead}`) response.end()
  })
  for (const account of accounts) await world.webhooks.set(account, receiver.url(`/${account}`))
  const sent = new Map<string, string[]>(accounts.map((account) => [account, []]))
  await store.transaction(async (trx) => {
    for (let index = 0; index < count; index += 1) {
      const account = accounts[index % accounts.length] ?? ''
      const event = anEvent(world.clock, { account })
      await world.events.append(event, trx)
      sent.get(account)?.push(event.id)
    }
  })
  world.start()

  const each = count / accounts.length
  const patienceMs = 30_000 + count * 30
  await until(
    () => expect(receiver.received.length).toBeGreaterThanOrEqual(count - each),
    patienceMs,
  )
  // Not a second has passed on the clock by which anything could have waited.
  await until(async () => expect((await world.webhooks.status()).waiting).toBe(each))
  expect(receiver.ids(`/${dead}`)).toHaveLength(1)
  for (const account of accounts.slice(1)) {
    expect(receiver.ids(`/${account}`)).toEqual(sent.get(account))
  }

  // It wakes up two hours later, and gets all of its own, in order.
  await until(async () => expect((await world.webhooks.show(dead))?.failures).toBe(1))
  receiver.answer(200)
  world.pass(hours(2))
  await until(async () => expect((await world.webhooks.status()).waiting).toBe(0), patienceMs)
  expect(receiver.ids(`/${dead}`).slice(1)).toEqual(sent.get(dead))
}
