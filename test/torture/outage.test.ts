import { expect, it } from 'vitest'
import { tellOutageStory } from '../support/outage-story.ts'

/** T18: ten minutes at 200 requests a second. */
const PER_SECOND = 200
const AWAY_SECONDS = 600

it('a backend that is away for ten minutes: nothing is broken, nothing is lost', async () => {
  const during = AWAY_SECONDS * PER_SECOND
  const seen = await tellOutageStory({ perSecond: PER_SECOND, before: 2000, during, after: 2000 })
  process.stdout.write(`${JSON.stringify(seen)}\n`)
  expect(seen).toMatchObject({ asked: during + 4000, broken: [], lost: 0, outOfOrder: 0 })
})
