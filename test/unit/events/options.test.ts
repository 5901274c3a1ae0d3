import { expect, it } from 'vitest'
import { eventsOptions } from '../../../src/events/options.ts'
import { days } from '../../../src/kernel/index.ts'

it('keeps events for 400 days unless told otherwise, and never for less than a week', () => {
  expect(eventsOptions.parse({}).keepFor).toBe(days(400))
  expect(eventsOptions.parse({ keepFor: '30d' }).keepFor).toBe(days(30))
  expect(eventsOptions.safeParse({ keepFor: '6d' }).success).toBe(false)
  expect(eventsOptions.safeParse({ keepFor: 'for ever' }).success).toBe(false)
})
