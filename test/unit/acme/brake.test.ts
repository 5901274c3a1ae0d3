import { describe, expect, it } from 'vitest'
import { createBrake } from '../../../src/acme/brake.ts'
import { AcmeError, type AcmeErrorOptions } from '../../../src/acme/errors.ts'
import { hours, after as later, minutes, seconds } from '../../../src/kernel/index.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'

const never = new AbortController().signal

function setUp({ fraction = 0.5 } = {}) {
  const clock = createFakeClock()
  const random = { ...createSeededRandom(), fraction: () => fraction }
  return { clock, brake: createBrake({ clock, random }) }
}
const aLimit = (options: AcmeErrorOptions) => new AcmeError('acme/rate-limited', '', options)

describe('the brake', () => {
  it('holds until the CA says, and the longest counts', async () => {
    const { clock, brake } = setUp()
    const error = aLimit({ askedFor: 'common', retryAt: later(clock.now(), hours(1)) })
    brake.pull(error)
    brake.pull(aLimit({ askedFor: 'common', retryAt: later(clock.now(), minutes(1)) }))
    expect(brake.held()).toEqual({ error, until: error.retryAt })
    await clock.advance(hours(1))
    expect(brake.held()).toBeUndefined()
  })

  it('holds for a minute when the CA does not say, and for a moment when it says 0', () => {
    const { clock, brake } = setUp()
    brake.pull(aLimit({ askedFor: 'common', retryAt: clock.now() }))
    expect(brake.held()?.until).toEqual(later(clock.now(), seconds(5)))
    brake.pull(new AcmeError('acme/unreachable', 'ECONNREFUSED'))
    expect(brake.held()?.until).toEqual(later(clock.now(), minutes(1)))
  })

  it('lets a limit or failure of one order concern that order alone', () => {
    const { clock, brake } = setUp()
    brake.pull(aLimit({ retryAt: later(clock.now(), hours(1)) }))
    brake.pull(new AcmeError('acme/unavailable', 'HTTP status 500'))
    expect(brake.held()).toBeUndefined()
  })

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
