import { expect, it } from 'vitest'
import { createQueuePace } from '../../../src/lifecycle/queue-pace.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

const minutesUntil = (clock: { now(): Date }, at: Date) =>
  (at.getTime() - clock.now().getTime()) / 60_000

it('guesses from the turns of the last hour when the next will come', async () => {
  const clock = createFakeClock()
  const pace = createQueuePace({ clock })
  expect(minutesUntil(clock, pace.guess(9))).toBe(30)
  for (let turn = 0; turn < 60; turn += 1) {
    pace.noteLeft()
    await clock.advance(30_000)
  }
  expect(pace.perHour).toBe(120)
  expect(minutesUntil(clock, pace.guess(59))).toBeCloseTo(30)
  expect(minutesUntil(clock, pace.guess(0))).toBe(1)
  expect(minutesUntil(clock, pace.guess(10_000_000))).toBe(7 * 24 * 60)
  await clock.advance(3_600_000)
  expect(pace.perHour).toBe(0)
})
