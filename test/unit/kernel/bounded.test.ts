import { describe, expect, it } from 'vitest'
import { bounded, createSingleFlight } from '../../../src/kernel/index.ts'

describe('bounded', () => {
  it('runs no more than the limit at a time, and all in the end', async () => {
    let running = 0
    let most = 0
    const seen: number[] = []
    await bounded(
      Array.from({ length: 20 }, (_, index) => index),
      3,
      async (item) => {
        running += 1
        most = Math.max(most, running)
        await new Promise((resolve) => setImmediate(resolve))
        seen.push(item)
        running -= 1
      },
    )
    expect(most).toBe(3)
    expect(seen.toSorted((a, b) => a - b)).toHaveLength(20)
  })

  it('starts nothing more after a failure, waits for what runs, and throws it', async () => {
    const started: number[] = []
    let finished = 0
    const run = bounded([1, 2, 3, 4, 5], 2, async (item) => {
      started.push(item)
      if (item === 1) throw new Error('first')
      await new Promise((resolve) => setImmediate(resolve))
      finished += 1
    })
    await expect(run).rejects.toThrow('first')
    expect(started.length).toBeLessThan(5)
    expect(finished).toBe(started.length - 1)
  })
})

describe('single flight', () => {
  it('joins calls for one key while the first runs, and works anew afterwards', async () => {
    const fly = createSingleFlight<string, number>()
    let calls = 0
    const work = async () => {
      calls += 1
      await new Promise((resolve) => setImmediate(resolve))
      return calls
    }
    expect(await Promise.all([fly('a', work), fly('a', work), fly('b', work)])).toEqual([2, 2, 2])
    expect(calls).toBe(2)
    await fly('a', work)
    expect(calls).toBe(3)
  })

  it('forgets a failure', async () => {
    const fly = createSingleFlight<string, string>()
    await expect(fly('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await fly('a', async () => 'yes')).toBe('yes')
  })
})
