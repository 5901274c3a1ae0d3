import { describe, expect, it } from 'vitest'
import {
  after,
  days,
  formatDuration,
  hours,
  parseDuration,
  seconds,
} from '../../../src/kernel/index.ts'

describe('durations', () => {
  it.each([
    ['60d', days(60)],
    ['12h', hours(12)],
    ['90s', seconds(90)],
    ['1.5h', seconds(5400)],
    ['250ms', 250],
  ])('reads %s', (text, expected) => {
    expect(parseDuration(text)).toBe(expected)
  })

  it.each(['', '60', 'd', '-1d', '1w', '1h30m', '1e3s'])('refuses %j', (text) => {
    expect(parseDuration(text)).toBeUndefined()
  })

  it('writes the largest unit that is whole', () => {
    expect([days(60), hours(36), seconds(90), seconds(0.25)].map(formatDuration)).toEqual([
      '60d',
      '36h',
      '90s',
      '250ms',
    ])
  })

  it('moves an instant', () => {
    expect(after(new Date('2026-01-01T00:00:00Z'), days(60)).toISOString()).toBe(
      '2026-03-02T00:00:00.000Z',
    )
  })
})
