import { describe, expect, it } from 'vitest'
import { createTicketPairs } from '../../../src/edge/tls/ticket-pairs.ts'

type Seen = 'full 1.3 over' | 'other over' | 'seals'

const FULL_1_3: readonly Seen[] = ['full 1.3 over', 'seals', 'seals']
const RESUMED_1_3: readonly Seen[] = ['other over', 'seals']
const FULL_1_2: readonly Seen[] = ['seals', 'other over']
/** Its end comes a round trip later. */
const RESUMED_1_2: readonly Seen[] = ['seals']

function ticketsOf(...seen: readonly Seen[]): readonly boolean[] {
  const pairs = createTicketPairs()
  return seen.flatMap((event) => {
    if (event === 'seals') return !pairs.isSecond()
    pairs.over({ isPairDue: event === 'full 1.3 over' })
    return []
  })
}

describe('of the tickets of a handshake', () => {
  it('the first is given, and the second of a pair is not', () => {
    expect(ticketsOf(...FULL_1_3)).toEqual([true, false])
    for (const single of [RESUMED_1_3, FULL_1_2, RESUMED_1_2]) {
      expect(ticketsOf(...single)).toEqual([true])
    }
  })

  it('each gets its own, whichever came before it', () => {
    const kinds = [
      FULL_1_3,
      RESUMED_1_3,
      FULL_1_2,
      RESUMED_1_2,
      [...RESUMED_1_2, 'other over'],
    ] as const
    for (const before of kinds) {
      for (const after of kinds) {
        const given = ticketsOf(...before, ...after).filter(Boolean)
        expect(given).toHaveLength(2)
      }
    }
  })

  it('one that comes after a handshake without any is given', () => {
    expect(ticketsOf('full 1.3 over', ...FULL_1_2, ...FULL_1_2)).toEqual([true, true])
  })
})
