import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AdmissionLimits, createAdmission } from '../../../../src/edge/listen/admission.ts'

const LIMITS: AdmissionLimits = { open: 10, perSecond: 10, burst: 5, remembered: 100 }

describe('an address', () => {
  it('may come as often as its burst at once, and then at its pace', () => {
    const admission = createAdmission(LIMITS)
    const come = (nowMs: number) => admission.judge('192.0.2.1', nowMs)
    expect([1, 2, 3, 4, 5].map(() => come(1000))).not.toContain('address-rate')
    expect(come(1000)).toBe('address-rate')
    expect(come(1099)).toBe('address-rate')
    expect(come(1100)).toBe('admitted')
    expect(come(1100)).toBe('address-rate')
  })

  it('is not made to wait longer for having tried', () => {
    const admission = createAdmission(LIMITS)
    for (let tries = 0; tries < 1000; tries += 1) admission.judge('192.0.2.1', 0)
    expect(admission.judge('192.0.2.1', 100)).toBe('admitted')
  })

  it('may hold so many connections, and another once one has left', () => {
    const admission = createAdmission(LIMITS)
    for (let open = 0; open < 10; open += 1) {
      expect(admission.judge('192.0.2.1', open * 1000)).toBe('admitted')
    }
    expect(admission.judge('192.0.2.1', 20_000)).toBe('address-connections')
    admission.left('192.0.2.1')
    expect(admission.judge('192.0.2.1', 20_000)).toBe('admitted')
  })

  it('takes nothing from others', () => {
    const admission = createAdmission(LIMITS)
    for (let tries = 0; tries < 100; tries += 1) admission.judge('192.0.2.1', 0)
    expect(admission.judge('192.0.2.2', 0)).toBe('admitted')
  })

  it('is a whole /64 where it is IPv6', () => {
    const admission = createAdmission(LIMITS)
    for (let host = 1; host <= 5; host += 1) admission.judge(`2001:db8::${host}`, 0)
    expect(admission.judge('2001:db8::abcd', 0)).toBe('address-rate')
    expect(admission.judge('2001:db8:0:1::1', 0)).toBe('admitted')
  })
})

describe('the memory of addresses', () => {
  it('forgets one that has left, not those that are there', () => {
    const admission = createAdmission({ ...LIMITS, open: 1, remembered: 2 })
    admission.judge('192.0.2.1', 0)
    admission.judge('192.0.2.2', 0)
    admission.left('192.0.2.2')
    admission.judge('192.0.2.3', 0)
    expect(admission.judge('192.0.2.1', 0)).toBe('address-connections')
  })

  it('is bounded even while everybody is there, and counts nobody twice who leaves then', () => {
    const admission = createAdmission({ ...LIMITS, open: 2, remembered: 1 })
    admission.judge('192.0.2.1', 0)
    admission.judge('192.0.2.2', 0)
    admission.left('192.0.2.1')
    admission.judge('192.0.2.1', 0)
    admission.left('192.0.2.1')
    admission.left('192.0.2.1')
    expect(admission.judge('192.0.2.1', 0)).toBe('admitted')
    expect(admission.judge('192.0.2.1', 0)).toBe('admitted')
    expect(admission.judge('192.0.2.1', 0)).toBe('address-connections')
  })

  it('looks at a few of the oldest only', () => {
    const admission = createAdmission({ ...LIMITS, open: 1, remembered: 64 })
    for (let last = 0; last < 64; last += 1) admission.judge(`192.0.2.${last}`, 0)
    admission.judge('192.0.2.200', 0)
    // The oldest of those that are there has been forgotten.
    expect(admission.judge('192.0.2.0', 0)).toBe('admitted')
  })
})

describe('however it comes and goes', () => {
  it('an address never holds more than it may, nor comes faster', () => {
    const step = fc.record({
      afterMs: fc.integer({ min: 0, max: 300 }),
      leaves: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const admission = createAdmission(LIMITS)
        let nowMs = 0
        let open = 0
        let admitted = 0
        for (const { afterMs, leaves } of steps) {
          nowMs += afterMs
          if (leaves && open > 0) {
            admission.left('192.0.2.1')
            open -= 1
          }
          if (admission.judge('192.0.2.1', nowMs) !== 'admitted') continue
          open += 1
          admitted += 1
          expect(open).toBeLessThanOrEqual(LIMITS.open)
          expect(admitted).toBeLessThanOrEqual(LIMITS.burst + (nowMs * LIMITS.perSecond) / 1000)
        }
      }),
    )
  })
})
