import { expect, it } from 'vitest'
import { minutes, seconds } from '../../../src/kernel/index.ts'
import type { GuardedFetch } from '../../../src/net/index.ts'
import { openSqliteTestStore } from '../../support/stores.ts'
import { tellOfOneDeadReceiver } from './fairness-story.ts'
import { createEventsWorld, loopbackFetch, startReceiver, until } from './world.ts'

it('does not let one dead receiver of a hundred delay the others', () =>
  tellOfOneDeadReceiver(1000))

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
      // An end that came before is not told again.
      signal.throwIfAborted()
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
  await world.end()
})

it('serves those that answer at once although hundreds take ten seconds to say yes', async () => {
  await using store = await openSqliteTestStore()
  await using receiver = await startReceiver()
  const loopback = loopbackFetch()
  const pending = new Set<() => void>()
  const fetch: GuardedFetch = {
    judge: loopback.judge,
    fetch: async (request, signal) => {
      if (!request.url.includes('/slow')) return loopback.fetch(request, signal)
      signal.throwIfAborted()
      const { promise, resolve } = Promise.withResolvers<void>()
      pending.add(resolve)
      signal.addEventListener('abort', () => resolve())
      await promise
      signal.throwIfAborted()
      return { kind: 'answered', status: 200, body: '' }
    },
  }
  await using world = createEventsWorld(store, { fetch })
  const slow = Array.from({ length: 64 }, (_, index) => `slow-${index}`)
  for (const account of [...slow, 'well']) {
    await world.webhooks.set(account, receiver.url(`/${account}`))
  }
  for (const account of [...slow, ...slow]) await world.tell({ account })
  const answerAfter = async (ms: number): Promise<void> => {
    await world.clock.advance(ms)
    for (const answer of pending) answer()
    pending.clear()
  }
  world.start()
  // Nobody knows yet who is slow: each is let go of after one answer, not after a whole turn.
  await until(() => expect(pending.size).toBe(32))
  await answerAfter(seconds(9))
  await until(() => expect(pending.size).toBe(32 + 8))
  await answerAfter(seconds(9))
  await until(() => expect(pending.size).toBe(8))
  for (let count = 1; count < 10; count += 1) {
    await world.tell({ account: 'well' })
    await until(() => expect(receiver.ids('/well')).toHaveLength(count))
  }
  await world.end()
})
