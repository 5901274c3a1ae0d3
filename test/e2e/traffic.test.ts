import { describe, expect, it } from 'vitest'
import { pebbleIsMissing, pebbleLabel } from '../support/pebble.ts'
import { tellTrafficStory } from '../support/traffic-story.ts'

describe.skipIf(pebbleIsMissing)(
  `traffic that nobody should notice us under ${pebbleLabel}`,
  () => {
    it('10,000 clicks amid renewals, killed workers and reloads: none fails, none is lost', async () => {
      const seen = await tellTrafficStory({
        ...{ hosts: 8, requests: 10_000, perSecond: 400, disturbEveryMs: 1000, seed: 'traffic' },
      })
      expect(seen).toMatchObject({ answered: 10_000, failed: [], lost: 0 })
      for (const count of [seen.renewals, seen.workersKilled, seen.reloads]) {
        expect(count).toBeGreaterThan(0)
      }
    }, 240_000)
  },
)
