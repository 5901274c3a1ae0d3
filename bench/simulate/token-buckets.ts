/** So many at once, and one more after each span. */
export interface BucketShape {
  readonly capacity: number
  readonly refillMs: number
}

/** `count` in `perMs`, as CAs write their limits. */
export function bucketShape(count: number, perMs: number): BucketShape {
  return { capacity: count, refillMs: perMs / count }
}

/**
 * Token buckets numbered from 0, all of one shape, kept as the CA's book has them: tokens and when
 * they were last counted. Postern keeps its own as the instant when they are full again; that the two
 * ways of counting agree is part of what is being tried.
 */
export interface TokenBuckets {
  left(bucket: number, nowMs: number): number
  /** Takes one; from an empty bucket nothing can be taken. */
  take(bucket: number, nowMs: number): void
  /** Makes it as it was at the beginning. */
  fill(bucket: number): void
  /** When there is a whole one again. */
  nextAt(bucket: number, nowMs: number): number
}

export function createTokenBuckets(
  count: number,
  { capacity, refillMs }: BucketShape,
): TokenBuckets {
  // Tokens, and when they were counted, side by side.
  const records = new Float64Array(2 * count)
  for (let bucket = 0; bucket < count; bucket += 1) records[2 * bucket] = capacity

  const left = (bucket: number, nowMs: number): number => {
    const span = nowMs - (records[2 * bucket + 1] ?? 0)
    return Math.min(capacity, (records[2 * bucket] ?? 0) + span / refillMs)
  }
  return {
    left,
    take: (bucket, nowMs) => {
      records[2 * bucket] = Math.max(0, left(bucket, nowMs) - 1)
      records[2 * bucket + 1] = nowMs
    },
    fill: (bucket) => {
      records[2 * bucket] = capacity
    },
    nextAt: (bucket, nowMs) => nowMs + Math.max(0, 1 - left(bucket, nowMs)) * refillMs,
  }
}

/** The same, for buckets of which hardly any is ever touched. */
export function createRareBuckets({ capacity, refillMs }: BucketShape): TokenBuckets {
  const touched = new Map<number, { readonly tokens: number; readonly countedMs: number }>()
  const left = (bucket: number, nowMs: number): number => {
    const one = touched.get(bucket)
    return one ? Math.min(capacity, one.tokens + (nowMs - one.countedMs) / refillMs) : capacity
  }
  return {
    left,
    take: (bucket, nowMs) => {
      touched.set(bucket, { tokens: Math.max(0, left(bucket, nowMs) - 1), countedMs: nowMs })
    },
    fill: (bucket) => {
      touched.delete(bucket)
    },
    nextAt: (bucket, nowMs) => nowMs + Math.max(0, 1 - left(bucket, nowMs)) * refillMs,
  }
}

/**
 * A millionth of a token less is still one: otherwise whoever comes at the very millisecond that was
 * named would be refused for the last bit of a sum. A real CA counts in nanoseconds.
 */
export const WHOLE_TOKEN = 1 - 1e-6
