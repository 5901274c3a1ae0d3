import { describe, expect, it } from 'vitest'
import { within } from '../../../src/kernel/index.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

describe('waiting, but only so long', () => {
  it('brings what comes in time, and leaves no timer behind', async () => {
    const clock = createFakeClock()
    const outcome = await within(Promise.resolve(1), 300, clock)
    expect(outcome).toEqual({ kind: 'in-time', value: 1 })
    expect(clock.sleepers).toBe(0)
  })

  it('throws what is thrown in time', async () => {
    const clock = createFakeClock()
    await expect(within(Promise.reject(new Error('no')), 300, clock)).rejects.toThrow('no')
    expect(clock.sleepers).toBe(0)
  })

  it('is late at its time, whatever the work does later', async () => {
    const clock = createFakeClock()
    const work = Promise.withResolvers<number>()
    const waiting = within(work.promise, 300, clock)
    await clock.advance(300)
    expect(await waiting).toEqual({ kind: 'late' })
    // Nobody waits for it any more: it must not end the process.
    work.reject(new Error('too late'))
    await clock.advance(1)
  })
})
