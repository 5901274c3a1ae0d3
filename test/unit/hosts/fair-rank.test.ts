import { expect, it } from 'vitest'
import { fairRank } from '../../../src/hosts/index.ts'

/** A queue of whole accounts, as the table keeps it. */
function createQueue() {
  const waiting: { readonly account: string; readonly rank: number }[] = []
  const last = new Map<string, number>()
  const front = (): number | undefined => {
    if (waiting.length > 0) return Math.min(...waiting.map(({ rank }) => rank))
    return last.size > 0 ? Math.max(...last.values()) : undefined
  }
  return {
    add: (account: string, count: number) => {
      for (let one = 0; one < count; one += 1) {
        const rank = fairRank({ front: front(), last: last.get(account) })
        last.set(account, rank)
        waiting.push({ account, rank })
      }
    },
    take: (count: number): Readonly<Record<string, number>> => {
      const taken = waiting.sort((one, other) => one.rank - other.rank).splice(0, count)
      return Object.fromEntries(
        [...last.keys()].map((name) => [name, taken.filter((one) => one.account === name).length]),
      )
    },
  }
}

it('gives turns to accounts alike, however many hosts each of them brings', () => {
  const queue = createQueue()
  queue.add('large', 1000)
  queue.add('small', 50)
  queue.add('other', 50)
  expect(queue.take(150)).toEqual({ large: 50, small: 50, other: 50 })
  expect(queue.take(100)).toEqual({ large: 100, small: 0, other: 0 })
})

it('lets who comes later in at the front, and not before those who are there', () => {
  const queue = createQueue()
  queue.add('early', 100)
  expect(queue.take(60)).toEqual({ early: 60 })
  queue.add('late', 100)
  expect(queue.take(40)).toEqual({ early: 20, late: 20 })
})

it('saves nothing up for who was idle, and holds nothing against who was busy alone', () => {
  const queue = createQueue()
  queue.add('busy', 1000)
  queue.take(1000)
  queue.add('new', 100)
  queue.add('busy', 100)
  expect(Math.abs((queue.take(100)['new'] ?? 0) - 50)).toBeLessThanOrEqual(1)
})
