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
})
