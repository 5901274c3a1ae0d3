/** So many tokens, and an empty bucket is full again after so long. */
export interface FrontBucket {
  readonly capacity: number
  readonly perMs: number
}

/**
 * A token bucket as a CA keeps it, counted token by token: each comes back at an instant of its own.
 * It has no formula in common with our budget, which it is there to prove right.
 */
export interface CountedBucket {
  /** 0: there is one. */
  waitMs(nowMs: number): number
  /** Takes one if there is one. */
  take(nowMs: number): boolean
  left(nowMs: number): number
}

export function createCountedBucket({ capacity, perMs }: FrontBucket): CountedBucket {
  const tokenMs = perMs / capacity
  /** When each taken token comes back, the next first. */
  let returningMs: number[] = []

  const count = (nowMs: number): number => {
    returningMs = returningMs.filter((atMs) => atMs > nowMs)
    return capacity - returningMs.length
  }
  return {
    left: count,
    waitMs: (nowMs) => (count(nowMs) > 0 ? 0 : (returningMs[0] ?? nowMs) - nowMs),
    take: (nowMs) => {
      if (count(nowMs) === 0) return false
      // One at a time: behind those that have been taken before.
      returningMs.push((returningMs.at(-1) ?? nowMs) + tokenMs)
      return true
    },
  }
}
