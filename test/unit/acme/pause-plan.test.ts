import { describe, expect, it } from 'vitest'
import { restOf } from '../../../src/acme/pause-plan.ts'
import { days, hours, after as later, milliseconds, minutes } from '../../../src/kernel/index.ts'

const now = new Date('2026-11-22T12:00:00Z')
const ago = (ms: number) => later(now, milliseconds(-ms))

describe('the rest of a name at a CA', () => {
  it('is none for a name in good standing, or one that rested enough', () => {
    expect(restOf({}, { now })).toBeUndefined()
    expect(restOf({ restUntil: ago(1) }, { now })).toBeUndefined()
  })

  it('lasts as long as we say, before the CA pauses the name', () => {
    const restUntil = later(now, hours(20))
    expect(restOf({ restUntil }, { now })).toEqual(restUntil)
  })

  it('is a day after a pause, and then all of each day but an hour', () => {
    const cases = [
      [0, days(1)],
      [hours(23), days(1)],
      [days(1), undefined],
      [days(1) + minutes(59), undefined],
      [days(1) + hours(1), days(2)],
      [days(41) - 1, days(41)],
      [days(41), undefined],
    ] as const
    for (const [pausedFor, until] of cases) {
      const pausedAt = ago(pausedFor)
      const rest = restOf({ pausedAt }, { now })
      expect(rest, String(pausedFor)).toEqual(
        until === undefined ? undefined : later(pausedAt, milliseconds(until)),
      )
    }
  })

  it('is a day for one that was paused in the future, by a clock that was set back', () => {
    const pausedAt = later(now, hours(1))
    expect(restOf({ pausedAt }, { now })).toEqual(later(pausedAt, days(1)))
  })

  it('ends for an hour when a person asks for a certificate after the pause', () => {
    const pausedAt = ago(hours(5))
    const asked = (askedAt: Date) => restOf({ pausedAt }, { now, askedAt })
    expect(asked(ago(minutes(59)))).toBeUndefined()
    expect(asked(ago(hours(1)))).toEqual(later(pausedAt, days(1)))
    expect(asked(ago(hours(6)))).toEqual(later(pausedAt, days(1)))
    const restUntil = later(now, hours(20))
    expect(restOf({ restUntil }, { now, askedAt: now })).toEqual(restUntil)
    expect(restOf({ restUntil, pausedAt }, { now })).toEqual(restUntil)
    expect(restOf({ restUntil, pausedAt }, { now, askedAt: now })).toBeUndefined()
  })
})
