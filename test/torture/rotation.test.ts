import { expect, it } from 'vitest'
import { tellRotationStory } from '../support/rotation-story.ts'

it('rotations over 5,000 keys killed 20 times: nothing unreadable, no handshake failed', async () => {
  const seen = await tellRotationStory({ keys: 5_000, kills: 20, seed: 'torture' })
  expect(seen).toMatchObject({ kills: 20, unreadable: 0, failedHandshakes: [] })
  expect(seen.midway).toBeGreaterThan(0)
  process.stdout.write(`${JSON.stringify(seen)}\n`)
}, 1_800_000)
