import { describe, expect, it } from 'vitest'
import type { Hit } from '../../../src/tracking/index.ts'
import { createOneByOne } from '../../../src/tracking/index.ts'

function aHit(id: string, target = '/o/x'): Hit {
  const facts = { kind: 'open', hostname: 'email.customer.test', reference: 'r' } as const
  const owed = { target, scheme: 'https', port: 443 } as const
  const visitor = { address: '192.0.2.1', userAgent: 'Mail' }
  return { ...facts, ...visitor, id, at: new Date(0), target: undefined, owed }
}

type Reply = 'taken' | 'refused' | 'not-now'

/** A mover in small: gives again what was not taken, at most `rounds` times. */
function setUp(replyTo: (hit: Hit) => Reply) {
  const taken: string[] = []
  const aside: string[] = []
  const bare: string[] = []
  let asked = 0
  const deliver = createOneByOne({
    send: async (hit) => {
      asked += 1
      const reply = replyTo(hit)
      if (reply === 'taken') taken.push(hit.id)
      return reply
    },
    setAside: async ({ id }) => void aside.push(id),
    record: { hitSentBare: ({ requestId }) => bare.push(requestId), hitSetAside: () => undefined },
  })
  const move = async (hits: readonly Hit[], rounds: number): Promise<readonly string[]> => {
    let left = hits
    for (let round = 0; round < rounds && left.length > 0; round += 1) {
      left = left.slice(await deliver(left.slice(0, 500), new AbortController().signal))
    }
    return left.map(({ id }) => id)
  }
  return { move, taken, aside, bare, asked: () => asked }
}

describe('hits that are delivered one by one', () => {
  it('arrive in order, and wait for the one ahead while the backend is away', async () => {
    let isThere = false
    const { move, taken, aside } = setUp(() => (isThere ? 'taken' : 'not-now'))
    const hits = ['a', 'b', 'c'].map((id) => aHit(id))
    expect(await move(hits, 50)).toEqual(['a', 'b', 'c'])
    isThere = true
    expect(await move(hits, 1)).toEqual([])
    expect(taken).toEqual(['a', 'b', 'c'])
    expect(aside).toEqual([])
  })

  it('are all kept while the backend fails at everything, however long', async () => {
    const { move, aside, asked } = setUp(() => 'refused')
    const hits = Array.from({ length: 600 }, (_, index) => aHit(String(index)))
    expect(await move(hits, 100)).toHaveLength(600)
    expect(aside).toEqual([])
    expect(asked()).toBeLessThanOrEqual(100 * 16)
  })

  it('are set aside where the backend fails at one and takes others, and nothing is told twice', async () => {
    const { move, taken, aside } = setUp(({ id }) => (id === 'bad' ? 'refused' : 'taken'))
    const hits = ['a', 'bad', 'b', 'c', 'd', 'e'].map((id) => aHit(id))
    expect(await move(hits, 2)).toEqual(['bad', 'b', 'c', 'd', 'e'])
    expect(aside).toEqual([])
    expect(await move(hits.slice(1), 1)).toEqual([])
    expect(aside).toEqual(['bad'])
    expect(taken).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  it('are set aside many together: a campaign that the backend knows no more holds up nobody', async () => {
    const { move, taken, aside } = setUp(({ id }) => (id.startsWith('bad') ? 'refused' : 'taken'))
    const bad = Array.from({ length: 100 }, (_, index) => aHit(`bad${index}`))
    const good = Array.from({ length: 100 }, (_, index) => aHit(`good${index}`))
    expect(await move([...bad, ...good], 100)).toEqual([])
    expect(aside).toHaveLength(100)
    expect(new Set(taken).size).toBe(100)
    expect(taken).toHaveLength(100)
  })

  it('lose what their visitor had added, if that is what the backend fails at', async () => {
    const replyTo = ({ owed }: Hit): Reply => (owed?.target.includes('?') ? 'refused' : 'taken')
    const { move, taken, aside, bare } = setUp(replyTo)
    const flood = Array.from({ length: 2000 }, (_, index) => aHit(`x${index}`, '/o/x?a=%00'))
    expect(await move([...flood, aHit('after')], 30)).toEqual([])
    expect(taken).toHaveLength(2001)
    expect(taken.at(-1)).toBe('after')
    expect(bare).toHaveLength(2000)
    expect(aside).toEqual([])
  })

  it('stay as they are if the backend failed once', async () => {
    let isFirst = true
    const { move, taken, bare, aside } = setUp(({ id }) => {
      if (id !== 'b' || !isFirst) return 'taken'
      isFirst = false
      return 'refused'
    })
    expect(await move([aHit('a'), aHit('b'), aHit('c')], 1)).toEqual([])
    expect(taken).toEqual(['a', 'b', 'c'])
    expect([...bare, ...aside]).toEqual([])
  })
})
