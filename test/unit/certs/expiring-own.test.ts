import { describe, expect, it } from 'vitest'
import { warningDue } from '../../../src/certs/expiring-own.ts'

const now = new Date('2026-11-22T12:00:00Z')
const HOUR_MS = 3_600_000

describe("the warnings before the end of a customer's own certificate", () => {
  it.each<[number, number | undefined, number | undefined]>([
    [31, undefined, undefined],
    [30, undefined, 30],
    [29, 30, undefined],
    [14.1, 30, undefined],
    [14, 30, 14],
    [8, 14, undefined],
    [7, 14, 7],
    [3, 7, 3],
    [1, 3, 1],
    [0.5, 1, undefined],
    // Brought late, or after an outage: one warning, the one that says the truth.
    [2, undefined, 3],
    [0.5, 30, 1],
    [0, 3, undefined],
    [-1, undefined, undefined],
  ])('with %s days left and the warning of day %s given: %s', (left, warned, expected) => {
    const notAfter = new Date(now.getTime() + left * 24 * HOUR_MS)
    expect(warningDue(notAfter, now, warned)).toBe(expected)
  })
})
