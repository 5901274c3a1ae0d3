import {
  CONNECTION_BYTES,
  CONNECTION_HEAP_BYTES,
  CONNECTIONS_MIN,
  HEAP_BASE_BYTES,
  MEMORY_HIGH_SHARE,
  MEMORY_LOW_SHARE,
} from '../limits.ts'

/** What a process uses, in bytes. */
export interface MemoryUse {
  readonly rss: number
  readonly heap: number
}

/** The most it may use, in bytes: beyond the first the machine kills it, beyond the second V8 does. */
export type MemoryBounds = MemoryUse

export interface MemoryState {
  readonly isHigh: boolean
  /** Of what is bounded, the part that is used up most: 1 is the end. */
  readonly share: number
  readonly of: 'rss' | 'heap'
}

/** High above the upper mark, and then until it is below the lower one: no to and fro between them. */
export function judgeMemory(
  use: MemoryUse,
  bounds: MemoryBounds,
  before: Pick<MemoryState, 'isHigh'>,
): MemoryState {
  const rss = use.rss / bounds.rss
  const heap = use.heap / bounds.heap
  const share = Math.max(rss, heap)
  const mark = before.isHigh ? MEMORY_LOW_SHARE : MEMORY_HIGH_SHARE
  return { isHigh: share >= mark, share, of: heap > rss ? 'heap' : 'rss' }
}

/**
 * So many connections are let in even when memory is high: they fit into what is left above the
 * mark. Whatever fills the memory it is not these, and a server that lets nobody in is as good as
 * dead. Memory that the allocator does not give back would otherwise keep it so.
 */
export function connectionsWhenHigh({ rss, heap }: MemoryBounds): number {
  return Math.floor(((1 - MEMORY_HIGH_SHARE) * Math.min(rss, heap)) / CONNECTION_BYTES)
}

/**
 * So many connections fit into the heap although each of them holds a whole head: heads can come
 * faster than anybody can look. What is outside of the heap is watched.
 */
export function connectionsThatFit({ heap }: Pick<MemoryBounds, 'heap'>): number {
  const free = heap * MEMORY_LOW_SHARE - HEAP_BASE_BYTES
  return Math.max(CONNECTIONS_MIN, Math.floor(free / CONNECTION_HEAP_BYTES))
}

/** A limit of 0, or one beyond the machine, is none: cgroup v1 says "none" with a huge number. */
export function memoryOfProcess({
  machine,
  constrained,
  processes,
}: {
  readonly machine: number
  readonly constrained: number
  /** Which share it. */
  readonly processes: number
}): number {
  const total = constrained > 0 && constrained < machine ? constrained : machine
  return Math.floor(total / Math.max(1, processes))
}
