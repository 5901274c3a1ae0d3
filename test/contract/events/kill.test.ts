import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { openStore } from '../../../src/store/index.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { describeEachEngine, testStoreDeps } from '../../support/stores.ts'
import { anEvent, createEventsWorld, startReceiver, until } from './world.ts'

const PROGRAM = fileURLToPath(new URL('../../support/webhook-sender.ts', import.meta.url))
const ACCOUNTS = ['one', 'two', 'three', 'four']
const EVENTS = 80
const KILLS = 6
/** Longer than a turn is leased for: a node that died holds nobody up for longer. */
const LATER_MS = 61_000

/** Another process that delivers; disposing is kill -9. */
function startSender(url: string, aheadMs: number): AsyncDisposable {
  const child = spawn(process.execPath, [PROGRAM, url, String(aheadMs)], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const ended = once(child, 'close')
  return {
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}

describeEachEngine(({ engine, newStoreUrl }) => {
  it('loses nothing to kill -9 in the midst of deliveries, and repeats one of an account at most', async () => {
    const url = await newStoreUrl()
    await using receiver = await startReceiver()
    const sent: string[] = []
    {
      await using store = await openStore({ url }, testStoreDeps())
      await using world = createEventsWorld(store, {
        clock: createFakeClock(new Date().toISOString()),
      })
      for (const account of ACCOUNTS) {
        await world.webhooks.set(account, receiver.url(`/${account}`))
      }
      for (let index = 0; index < EVENTS; index += 1) {
        const account = ACCOUNTS[index % ACCOUNTS.length] ?? ''
        const event = anEvent(world.clock, { account })
        await world.events.append(event)
        sent.push(event.id)
      }
    }
    for (let kill = 0; kill < KILLS; kill += 1) {
      // Killed between the request and its answer, when it cannot be known whether it was taken.
      const before = receiver.received.length
      const caught = Promise.withResolvers<void>()
      receiver.answer((_, response) => {
        if (receiver.received.length >= before + 8) caught.resolve()
        else setTimeout(() => response.end(), 2)
      })
      const aheadMs = engine === 'postgres' ? kill * LATER_MS : 0
      await using _sender = startSender(url, aheadMs)
      await caught.promise
    }
    receiver.answer(200)
    {
      await using _sender = startSender(url, engine === 'postgres' ? KILLS * LATER_MS : 0)
      await until(() => expect(new Set(receiver.ids()).size).toBe(EVENTS))
      // The last answers are on their way into the store, which another process has open.
      await using reader = await openStore({ url }, testStoreDeps({ role: 'worker' }))
      await using world = createEventsWorld(reader)
      await until(async () => {
        expect(await world.webhooks.status()).toMatchObject({ waiting: 0, failing: 0 })
      })
    }
    expect(new Set(receiver.ids())).toEqual(new Set(sent))
    const repeats = receiver.received.length - EVENTS
    expect(repeats).toBeGreaterThan(0)
    expect(repeats).toBeLessThanOrEqual(KILLS * ACCOUNTS.length)
    for (const account of ACCOUNTS) {
      const order = receiver.ids(`/${account}`)
      expect(order).toEqual(order.toSorted())
    }
  })
})
