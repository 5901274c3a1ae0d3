import { fairRank } from '../../src/hosts/index.ts'
import { URGENCIES, type Urgency, urgencyRank } from '../../src/kernel/index.ts'
import { createNumberHeap, type NumberHeap } from './number-heap.ts'

/** The hosts that wait for a CA's budget, as the store keeps them: by urgency, then by fair rank. */
export interface WaitingLine {
  readonly size: number
  sizeOf(urgency: Urgency): number
  /** One that has a place among those of this urgency keeps it, unless its turn came in vain. */
  enqueue(host: number, urgency: Urgency): void
  /** The first so many of an urgency: they stay until they are enqueued again or removed. */
  claim(urgency: Urgency, limit: number): readonly number[]
  remove(host: number): void
  has(host: number): boolean
}

export interface WaitingLineOptions {
  readonly hosts: number
  readonly accounts: number
  readonly accountOf: (host: number) => number
}

interface Queue {
  readonly heap: NumberHeap
  readonly lastOf: Float64Array
  last: number
  /** The heap has those as well that were removed since. */
  size: number
}

const NONE = -1

export function createWaitingLine(options: WaitingLineOptions): WaitingLine {
  const { hosts, accounts, accountOf } = options
  const ranks = new Float64Array(hosts)
  const rankedAs = new Int8Array(hosts).fill(NONE)
  const isClaimed = new Uint8Array(hosts)
  const queues = URGENCIES.map(
    (): Queue => ({
      heap: createNumberHeap(),
      lastOf: new Float64Array(accounts).fill(NONE),
      ...{ last: NONE, size: 0 },
    }),
  )
  let total = 0
  const queueAt = (rank: number): Queue => {
    const queue = queues[rank]
    if (!queue) throw new Error(`There is no urgency of rank ${rank}`)
    return queue
  }
  const remove = (host: number): void => {
    const priority = rankedAs[host] ?? NONE
    if (priority === NONE) return
    queueAt(priority).size -= 1
    total -= 1
    rankedAs[host] = NONE
    isClaimed[host] = 0
  }
  const isStale = (host: number, rank: number, priority: number): boolean =>
    rankedAs[host] !== priority || ranks[host] !== rank
  const frontOf = ({ heap }: Queue, priority: number): number | undefined => {
    for (let first = heap.first; first; first = heap.first) {
      if (!isStale(first.item, first.rank, priority)) return first.rank
      heap.pop()
    }
    return undefined
  }

  return {
    get size() {
      return total
    },
    sizeOf: (urgency) => queueAt(urgencyRank(urgency)).size,
    enqueue: (host, urgency) => {
      const priority = urgencyRank(urgency)
      const queue = queueAt(priority)
      if (rankedAs[host] === priority && isClaimed[host] === 0) return
      remove(host)
      const account = accountOf(host)
      const front = frontOf(queue, priority) ?? known(queue.last)
      const rank = fairRank({ front, last: known(queue.lastOf[account] ?? NONE) })
      queue.lastOf[account] = rank
      queue.last = Math.max(rank, queue.last)
      queue.size += 1
      total += 1
      ranks[host] = rank
      rankedAs[host] = priority
      queue.heap.push(host, rank)
    },
    claim: (urgency, limit) => {
      const priority = urgencyRank(urgency)
      const { heap } = queueAt(priority)
      const claimed: number[] = []
      while (claimed.length < limit) {
        const first = heap.first
        if (!first) break
        heap.pop()
        if (isStale(first.item, first.rank, priority) || isClaimed[first.item] === 1) continue
        isClaimed[first.item] = 1
        claimed.push(first.item)
      }
      return claimed
    },
    remove,
    has: (host) => rankedAs[host] !== NONE,
  }
}

function known(rank: number): number | undefined {
  return rank === NONE ? undefined : rank
}
