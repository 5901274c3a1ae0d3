import { describe, expect, it } from 'vitest'
import { watchStore } from '../../../src/app/fleet/store-watch.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

function aWatch() {
  const clock = createFakeClock()
  const told: unknown[] = []
  let failure: Error | undefined
  const hot = watchStore({
    clock,
    hot: {
      servedCertificate: async () => undefined,
      hasHost: async () => {
        if (failure) throw failure
        return true
      },
    },
    record: {
      storeAway: ({ error }) => void told.push(['away', error]),
      storeBack: (facts) => void told.push(['back', facts]),
    },
  })
  const ask = async (fails?: Error): Promise<boolean | undefined> => {
    failure = fails
    try {
      return await hot.hasHost('email.customer.test')
    } catch {
      return undefined
    }
  }
  return { clock, told, ask, hot }
}

describe('the watch over the store', () => {
  it('says once that visitors are without it, and once that it is back', async () => {
    const { clock, told, ask } = aWatch()
    const down = new Error('down')
    expect(await ask()).toBe(true)
    for (let visitors = 0; visitors < 1000; visitors += 1) await ask(down)
    await clock.advance(60_000)
    expect(await ask(down)).toBeUndefined()
    expect(told).toEqual([['away', down]])
    await clock.advance(5000)
    expect(await ask()).toBe(true)
    await ask()
    expect(told.slice(1)).toEqual([['back', { failures: 1001, seconds: 60 }]])
  })

  it('takes a store that fails now and then for one outage', async () => {
    const { clock, told, ask } = aWatch()
    for (let round = 0; round < 100; round += 1) {
      await ask(new Error('down'))
      await ask()
      await clock.advance(1000)
    }
    expect(told).toHaveLength(1)
  })
})
