import { describe, it } from 'vitest'
import { tellKillStory } from '../support/kill-story.ts'
import { pebbleIsMissing, pebbleLabel } from '../support/pebble.ts'

describe.skipIf(pebbleIsMissing)(`kill -9 while issuing and renewing ${pebbleLabel}`, () => {
  it('loses nothing and orders nothing twice at 200 random moments, with 50 hosts', () =>
    tellKillStory({ hosts: 50, kills: 200, seed: 'torture' }))
})
