import { expect, it } from 'vitest'
import { tellClockStory } from '../support/clock-story.ts'
import { findFakeTime } from '../support/fake-time.ts'
import { pebbleIsMissing, pebbleLabel } from '../support/pebble.ts'

const library = pebbleIsMissing ? undefined : await findFakeTime()

it.skipIf(library === undefined)(
  `orders nothing when the clock jumps by 90 days or back by one, and recovers ${pebbleLabel}`,
  async () => {
    expect(library).toBeDefined()
    if (library)
      await tellClockStory({ library, hosts: 4, steps: ['+90d', '-1d'], wrongForMs: 6_000 })
  },
  400_000,
)
