import { expect, it } from 'vitest'
import { tellClockStory } from '../support/clock-story.ts'
import { findFakeTime } from '../support/fake-time.ts'
import { pebbleIsMissing, pebbleLabel } from '../support/pebble.ts'

const library = pebbleIsMissing ? undefined : await findFakeTime()

it.skipIf(library === undefined)(
  `orders nothing while the clock is wrong for minutes, whatever the step ${pebbleLabel}`,
  async () => {
    expect(library).toBeDefined()
    const steps = ['+90d', '-1d', '+1h', '-1h', '+400d', '-90d']
    if (library) await tellClockStory({ library, hosts: 40, steps, wrongForMs: 130_000 })
  },
)
