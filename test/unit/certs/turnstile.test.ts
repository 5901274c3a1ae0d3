import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createTurnstile } from '../../../src/certs/turnstile.ts'

describe('a turnstile', () => {
  it('lets a few through in each turn of the event loop, and everybody in the end', async () => {
    const pass = createTurnstile(4)
    let passed = 0
    const all = Promise.all(
      Array.from({ length: 18 }, async () => {
        await pass()
        passed += 1
      }),
    )
    let turns = 0
    for (; passed < 18; turns += 1) await setImmediate()
    await all
    // Four at once, and the other fourteen in four more turns.
    expect(turns).toBe(4)
  })

  it('lets them through in the order in which they came, also those that came late', async () => {
    const pass = createTurnstile(2)
    const order: number[] = []
    const come = async (who: number): Promise<void> => {
      await pass()
      order.push(who)
    }
    const early = Array.from({ length: 6 }, (_, who) => come(who))
    await setImmediate()
    const late = [come(6), come(7)]
    await Promise.all([...early, ...late])
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })

  it('is open at once for whoever comes when nobody is about', async () => {
    const pass = createTurnstile(1)
    await pass()
    for (let turn = 0; turn < 3; turn += 1) await setImmediate()
    let isThrough = false
    void pass().then(() => {
      isThrough = true
    })
    await Promise.resolve()
    expect(isThrough).toBe(true)
  })
})
