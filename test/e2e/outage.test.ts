import { expect, it } from 'vitest'
import { tellOutageStory } from '../support/outage-story.ts'

it('links work while the backend is away, and it hears of each hit when it is back', async () => {
  const seen = await tellOutageStory({ perSecond: 200, before: 50, during: 300, after: 50 })
  expect(seen).toMatchObject({ asked: 400, broken: [], lost: 0, outOfOrder: 0 })
  expect(seen.replayed).toBeGreaterThanOrEqual(290)
})
