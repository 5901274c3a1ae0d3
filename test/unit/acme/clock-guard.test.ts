import { describe, expect, it } from 'vitest'
import { createClockGuard, wrongClock } from '../../../src/acme/clock-guard.ts'
import { days, hours, after as later, milliseconds, minutes } from '../../../src/kernel/index.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

/** One whose wall clock can be set, while time goes on as it does. */
function setUp() {
  const running = createFakeClock()
  let setByMs = 0
  const clock = {
    ...running,
    now: () => later(running.now(), milliseconds(setByMs)),
    set: (ms: number) => {
      setByMs += ms
    },
  }
  return { clock, running, guard: createClockGuard(clock) }
}

describe('the guard of the clock', () => {
  it('knows nothing before a CA has said what time it is', () => {
    const { guard } = setUp()
    expect(guard.skew()).toBeUndefined()
    expect(guard.verdict()).toEqual({ kind: 'right' })
  })

  it('forgives an hour, as certificates do', () => {
    const { guard, clock } = setUp()
    guard.note('one', later(clock.now(), hours(-1)))
    expect(guard.skew()).toBe(hours(1))
    expect(guard.verdict()).toEqual({ kind: 'right' })
    guard.note('one', later(clock.now(), milliseconds(hours(1) + 1000)))
    expect(guard.verdict()).toMatchObject({ kind: 'wrong', skew: -hours(1) - 1000 })
  })

  it('notices at once that the clock was set, and set right again', async () => {
    const { guard, clock, running } = setUp()
    guard.note('one', clock.now())
    await running.advance(hours(5))
    expect(guard.skew()).toBe(0)
    clock.set(days(90))
    expect(guard.verdict()).toEqual({ kind: 'wrong', skew: days(90), isRecent: false })
    clock.set(-days(90))
    expect(guard.verdict()).toEqual({ kind: 'right' })
  })

  it('asks again only some minutes after it was told that the clock is wrong', async () => {
    const { guard, clock, running } = setUp()
    guard.note('one', later(clock.now(), days(1)))
    expect(guard.verdict()).toMatchObject({ kind: 'wrong', isRecent: true })
    await running.advance(minutes(10))
    expect(guard.verdict()).toMatchObject({ kind: 'wrong', isRecent: false })
  })

  it('believes the CA that agrees with us, where two do not agree', () => {
    const { guard, clock } = setUp()
    guard.note('one', later(clock.now(), days(400)))
    guard.note('two', later(clock.now(), minutes(-1)))
    expect(guard.skew()).toBe(minutes(1))
    expect(guard.verdict()).toEqual({ kind: 'right' })
  })

  it('says in words how wrong the clock is', () => {
    const now = new Date('2026-11-22T12:00:00Z')
    expect(wrongClock(days(2), now)).toMatchObject({
      ...{
        code: 'acme/clock-wrong',
        message: 'it is 48.0 h ahead',
        retryAt: later(now, minutes(10)),
      },
    })
    expect(wrongClock(milliseconds(-hours(30)), now).message).toBe('it is 30.0 h behind')
  })
})
