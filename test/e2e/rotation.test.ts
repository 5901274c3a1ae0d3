import { expect, it } from 'vitest'
import { tellRotationStory } from '../support/rotation-story.ts'

it('a rotation of the master key survives kill -9: nothing unreadable, no handshake failed', async () => {
  const seen = await tellRotationStory({ keys: 400, kills: 3, seed: 'rotation' })
  expect(seen).toMatchObject({ kills: 3, unreadable: 0, failedHandshakes: [] })
  expect(seen.handshakes).toBeGreaterThan(400)
}, 300_000)
