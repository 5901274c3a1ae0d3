import { describe, expect, it } from 'vitest'
import { createBrake } from '../../../src/acme/brake.ts'
import { seconds } from '../../../src/kernel/index.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'

const never = new AbortController().signal

function setUp({ fraction = 0.5 } = {}) {
  const clock = createFakeClock()
  const random = { ...createSeededRandom(), fraction: () => fraction }
  return { clock, brake: createBrake({ clock, random }) }
}

describe('the brake', () => {
  it('spreads those who wait over a tenth of the wait, a minute at most', () => {
    const { clock, brake } = setUp()
    const spreadMs = (ms: number): number => {
      const at = new Date(clock.now().getTime() + ms)
      return brake.spread(at).getTime() - at.getTime()
    }
    expect([0, 60_000, 36_000_000, -5_000].map(spreadMs)).toEqual([0, 3_000, 30_000, 0])
  })

  it('lets one order a second pass after a refusal, until one is placed', async () => {
    const { clock, brake } = setUp()
    const passed: number[] = []
    const pass = async (): Promise<void> => {
      await brake.orderTurn(never)
      passed.push(clock.monotonicMs())
    }
    await pass()
    brake.orderRefused()
    const passing = [pass(), pass(), pass()]
    await clock.advance(seconds(10))
    await Promise.all(passing)
    expect(passed).toEqual([0, 1_000, 2_000, 3_000])
    brake.orderPlaced()
    await pass()
    expect(passed.at(-1)).toBe(10_000)
  })
})
