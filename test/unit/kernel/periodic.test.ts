import { describe, expect, it } from 'vitest'
import { minutes, startPeriodic } from '../../../src/kernel/index.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

describe('a periodic loop', () => {
  it('runs at once, then after each pause, and stops when disposed', async () => {
    const clock = createFakeClock()
    let rounds = 0
    const loop = startPeriodic(
      async () => {
        rounds += 1
      },
      { clock, every: minutes(1), onError: () => undefined },
    )
    await clock.advance(0)
    expect(rounds).toBe(1)
    await clock.advance(minutes(3))
    expect(rounds).toBe(4)
    await loop[Symbol.asyncDispose]()
    await clock.advance(minutes(3))
    expect(rounds).toBe(4)
    expect(clock.sleepers).toBe(0)
  })

  it('starts the next round at once when woken in its pause or in the middle of a round', async () => {
    const clock = createFakeClock()
    let rounds = 0
    await using loop = startPeriodic(
      async () => {
        rounds += 1
        if (rounds === 2) loop.wake()
      },
      { clock, every: minutes(1), onError: () => undefined },
    )
    await clock.advance(0)
    loop.wake()
    await clock.advance(0)
    expect(rounds).toBe(3)
  })

  it('reports a failing round and goes on', async () => {
    const clock = createFakeClock()
    const errors: unknown[] = []
    await using _loop = startPeriodic(() => Promise.reject(new Error('round')), {
      clock,
      every: minutes(1),
      onError: (error) => errors.push(error),
    })
    await clock.advance(minutes(1))
    expect(errors).toHaveLength(2)
  })
})
