import { describe, expect, it } from 'vitest'
import { createHistoryWriter } from '../../../src/hosts/host-history.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'

describe('history entries', () => {
  it('sort in the order in which they were made, within a millisecond too', async () => {
    const clock = createFakeClock()
    const toRow = createHistoryWriter({ clock, random: createSeededRandom() })
    const rows = []
    for (let turn = 0; turn < 300; turn += 1) {
      rows.push(
        toRow(
          { hostname: 'email.customer.test' },
          { step: 'look', outcome: 'done', sentence: `${turn}` },
        ),
      )
      if (turn === 150) await clock.advance(1)
    }
    const sorted = rows.toSorted((one, other) => (one.id < other.id ? -1 : 1))
    expect(sorted.map(({ sentence }) => sentence)).toEqual(rows.map(({ sentence }) => sentence))
  })
})
