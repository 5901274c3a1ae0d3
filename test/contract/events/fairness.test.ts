import { expect, it } from 'vitest'
import { hours, minutes } from '../../../src/kernel/index.ts'
import type { GuardedFetch } from '../../../src/net/index.ts'
import { openSqliteTestStore } from '../../support/stores.ts'
import { anEvent, createEventsWorld, loopbackFetch, startReceiver, until } from './world.ts'

const accounts = Array.from({ length: 100 }, (_, index) => `account-${index}`)
const EVENTS = 10_000

it('does not let one dead receiver of a hundred delay the others: 10,000 events', async () => {
  await using store = await openSqliteTestStore()
  await using receiver = await startReceiver()
  await using world = createEventsWorld(store)
  // It takes connections and never answers.
  const [dead = ''] = accounts
  receiver.answer(({ path }, response) => {
    if (path !== `/${dead}`) response.end()
  })
  for (const account of accounts) await world.webhooks.set(account, receiver.url(`/${account}`))
  const sent = new Map<string, string[]>(accounts.map((account) => [account, []]))
  await store.transaction(async (trx) => {
    for (let index = 0; index < EVENTS; index += 1) {
      const account = accounts[index % accounts.length] ?? ''
      const event = anEvent(world.clock, { account })
      await world.events.append(event, trx)
      sent.get(account)?.push(event.id)
    }
  })
  world.start()

  const others = EVENTS - EVENTS / accounts.length
  await until(() => expect(receiver.received.length).toBeGreaterThanOrEqual(others), 120_000)
  // Not a second has passed on the clock by which anything could have waited.
  await until(async () => expect((await world.webhooks.status()).waiting).toBe(100))
  expect(receiver.ids(`/${dead}`)).toHaveLength(1)
  for (const account of accounts.slice(1)) {
    expect(receiver.ids(`/${account}`)).toEqual(sent.get(account))
  }

  // It wakes up two hours later, and gets all of its own, in order.
  await until(async () => expect((await world.webhooks.show(dead))?.failures).toBe(1), 20_000)
  receiver.answer(200)
  world.pass(hours(2))
  await until(async () => expect((await world.webhooks.status()).waiting).toBe(0))
  expect(receiver.ids(`/${dead}`).slice(1)).toEqual(sent.get(dead))
}, 200_000)

it('tries those that failed in places of their own: the others never wait for them', async () => {
  await using store = await openSqliteTestStore()
  await using receiver = await startReceiver()
  const asked: string[] = []
  const hanging = new Set<string>()
  const loopback = loopbackFetch()
  // Hanging for ten seconds, without the seconds.
  const fetch: GuardedFetch = {
    judge: loopback.judge,
    fetch: async (request, signal) => {
      const account = new URL(request.url).pathname.slice(1)
      if (!account.startsWith('dead')) return loopback.fetch(request, signal)
      asked.push(account)
      if (!hanging.has(account)) {
        const sentence = 'The receiver did not answer in time.'
        return { kind: 'unreachable', why: 'timeout', sentence }
      }
      const { promise, reject } = Promise.withResolvers<never>()
      signal.addEventListener('abort', () => reject(signal.reason))
      return promise
    },
  }
  await using world = createEventsWorld(store, { fetch })
  const dead = Array.from({ length: 60 }, (_, index) => `dead-${index}`)
  for (const account of [...dead, 'well']) {
    await world.webhooks.set(account, receiver.url(`/${account}`))
    await world.tell({ account })
  }
  world.start()
  await until(async () => expect((await world.webhooks.status()).failing).toBe(60))
  expect(receiver.ids('/well')).toHaveLength(1)

  // All of them are tried again, and none of them answers.
  for (const account of dead) hanging.add(account)
  world.pass(minutes(12))
  await until(() => expect(asked).toHaveLength(60 + 8))
  for (let count = 2; count < 10; count += 1) {
    await world.tell({ account: 'well' })
    await until(() => expect(receiver.ids('/well')).toHaveLength(count))
  }
  expect(asked).toHaveLength(60 + 8)
  const stopped = world[Symbol.asyncDispose]()
  await world.clock.advance(6000)
  await stopped
})
