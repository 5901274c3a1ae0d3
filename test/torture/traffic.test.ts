import { expect, it } from 'vitest'
import { findFakeTime } from '../support/fake-time.ts'
import { tellTrafficStory } from '../support/traffic-story.ts'

it('200,000 clicks at 200 a second amid renewals, kills, reloads and ticket rotations: none fails', async () => {
  const seen = await tellTrafficStory({
    ...{ hosts: 50, requests: 200_000, perSecond: 200, disturbEveryMs: 5000, seed: 'torture' },
    timeLibrary: await findFakeTime(),
  })
  process.stdout.write(`${JSON.stringify(seen)}\n`)
  expect(seen).toMatchObject({ answered: 200_000, failed: [], lost: 0 })
}, 3_600_000)
