import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { backoff, days, minutes, newId, Redacted, unreachable } from '../../../src/kernel/index.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'

describe('backoff', () => {
  it('waits 1, 10 and 100 minutes, then a day for ever, each up to a fifth longer', () => {
    const random = createSeededRandom()
    const steps = [minutes(1), minutes(10), minutes(100), days(1), days(1)]
    for (const [index, step] of steps.entries()) {
      const wait = backoff(index + 1, random)
      expect(wait).toBeGreaterThanOrEqual(step)
      expect(wait).toBeLessThanOrEqual(step * 1.2)
    }
    expect(backoff(1000, random)).toBeGreaterThanOrEqual(days(1))
  })
})

describe('an id', () => {
  it('sorts by the time it was made and never repeats', async () => {
    const clock = createFakeClock()
    const random = createSeededRandom()
    const first = newId({ clock, random })
    await clock.advance(1)
    const second = newId({ clock, random })
    expect(first).toMatch(/^[0-9a-f]{32}$/)
    expect(first < second).toBe(true)
  })
})

describe('a redacted value', () => {
  it('prints nowhere and opens by name', () => {
    const secret = new Redacted('hunter2')
    expect(`${secret} ${JSON.stringify({ secret })} ${inspect({ secret })}`).not.toContain(
      'hunter2',
    )
    expect(secret.reveal()).toBe('hunter2')
  })
})

describe('unreachable', () => {
  it('names the case that nobody thought of', () => {
    expect(() => unreachable('surprise' as never)).toThrow('surprise')
  })
})
