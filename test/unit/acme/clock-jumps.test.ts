import { expect, it } from 'vitest'
import { createClockJumps } from '../../../src/acme/clock-jumps.ts'
import { hours, seconds } from '../../../src/kernel/index.ts'

/** A clock whose two hands can be moved apart. */
function setUp() {
  let [wallMs, monotonicMs] = [Date.parse('2026-11-22T12:00:00Z'), 0]
  const jumps = createClockJumps({ now: () => new Date(wallMs), monotonicMs: () => monotonicMs })
  return {
    jumps,
    pass: (ms: number) => {
      wallMs += ms
      monotonicMs += ms
    },
    set: (ms: number) => {
      wallMs += ms
    },
  }
}

it('time that passes is no jump, nor is what a clock is corrected by now and then', () => {
  const { jumps, pass, set } = setUp()
  pass(hours(90 * 24))
  set(seconds(29))
  expect(jumps.jumpedMs()).toBe(0)
})

it('a clock set forward has jumped until that is forgotten', () => {
  const { jumps, pass, set } = setUp()
  set(hours(1))
  pass(seconds(5))
  expect(jumps.jumpedMs()).toBe(hours(1))
  expect(jumps.jumpedMs()).toBe(hours(1))
  jumps.forget()
  expect(jumps.jumpedMs()).toBe(0)
})

it('a clock set back is right, and jumps from there', () => {
  const { jumps, set } = setUp()
  set(-hours(24))
  expect(jumps.jumpedMs()).toBe(0)
  set(hours(24))
  expect(jumps.jumpedMs()).toBe(hours(24))
})
