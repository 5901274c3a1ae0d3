import { describe, it } from 'vitest'
import { tellKillStory } from '../support/kill-story.ts'
import { pebbleIsMissing, pebbleLabel } from '../support/pebble.ts'

describe.skipIf(pebbleIsMissing)(`kill -9 while issuing and renewing ${pebbleLabel}`, () => {
  it('loses no host, no key and no renewal, and makes no second order or account', () =>
    tellKillStory({ hosts: 24, kills: 6, seed: 'kill' }))
})
