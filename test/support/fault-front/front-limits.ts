import { type CountedBucket, createCountedBucket, type FrontBucket } from './counted-bucket.ts'

/** What a CA limits. A limit that is not there is none. */
export interface FrontLimits {
  readonly ordersPerAccount?: FrontBucket
  readonly certificatesPerDomain?: FrontBucket
  readonly certificatesPerName?: FrontBucket
  readonly failuresPerName?: FrontBucket
  /** When it is empty, the name is paused. A success fills it. */
  readonly failuresInARow?: FrontBucket
  /** Of all requests of one address to `newNonce`, `newOrder` and so on: answered with 503. */
  readonly newNonces?: FrontBucket
  readonly newOrders?: FrontBucket
  readonly requests?: FrontBucket
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** Let's Encrypt's production, 2026-08. */
export const LETS_ENCRYPT_LIMITS: FrontLimits = {
  ordersPerAccount: { capacity: 300, perMs: 3 * HOUR_MS },
  certificatesPerDomain: { capacity: 50, perMs: 7 * DAY_MS },
  certificatesPerName: { capacity: 5, perMs: 7 * DAY_MS },
  failuresPerName: { capacity: 5, perMs: HOUR_MS },
  failuresInARow: { capacity: 1_152, perMs: 1_152 * DAY_MS },
  newNonces: { capacity: 10, perMs: 500 },
  newOrders: { capacity: 200, perMs: 667 },
  requests: { capacity: 125, perMs: 500 },
}

export type FrontLimit = keyof FrontLimits

/** All buckets of a CA, each made when it is first asked for. */
export interface FrontBuckets {
  /** Milliseconds until there is a token; 0 where nothing is limited. */
  waitMs(limit: FrontLimit, bucket: string): number
  take(limit: FrontLimit, bucket: string): void
  fill(limit: FrontLimit, bucket: string): void
  left(limit: FrontLimit, bucket: string): number
}

export function createFrontBuckets(limits: FrontLimits, nowMs: () => number): FrontBuckets {
  const buckets = new Map<string, CountedBucket>()
  const bucketOf = (limit: FrontLimit, name: string): CountedBucket | undefined => {
    const shape = limits[limit]
    if (!shape) return undefined
    const key = `${limit} ${name}`
    const bucket = buckets.get(key) ?? createCountedBucket(shape)
    buckets.set(key, bucket)
    return bucket
  }
  return {
    waitMs: (limit, name) => bucketOf(limit, name)?.waitMs(nowMs()) ?? 0,
    take: (limit, name) => void bucketOf(limit, name)?.take(nowMs()),
    fill: (limit, name) => void buckets.delete(`${limit} ${name}`),
    left: (limit, name) => bucketOf(limit, name)?.left(nowMs()) ?? Number.POSITIVE_INFINITY,
  }
}

/** The sentence in which Boulder says so, with the limit in it. */
export function limitSentence(
  limit: FrontLimit,
  { capacity, perMs }: FrontBucket,
  { name, retryAt }: { readonly name: string; readonly retryAt: Date },
): string {
  const of = SUBJECTS[limit]?.(capacity, name) ?? `too many requests (${capacity})`
  const at = retryAt.toISOString().replace('T', ' ').slice(0, 19)
  return `${of} in the last ${goDuration(perMs)}, retry after ${at} UTC: see https://letsencrypt.org/docs/rate-limits/`
}

const SUBJECTS: Readonly<Partial<Record<FrontLimit, (capacity: number, name: string) => string>>> =
  {
    ordersPerAccount: (capacity) => `too many new orders (${capacity}) from this account`,
    certificatesPerDomain: (capacity, name) =>
      `too many certificates (${capacity}) already issued for "${name}"`,
    certificatesPerName: (capacity) =>
      `too many certificates (${capacity}) already issued for this exact set of identifiers`,
    failuresPerName: (capacity, name) =>
      `too many failed authorizations (${capacity}) for "${name}"`,
  }

/** `168h0m0s`, as Go writes it. */
function goDuration(ms: number): string {
  const seconds = Math.round(ms / 1000)
  return `${Math.floor(seconds / 3600)}h${Math.floor((seconds % 3600) / 60)}m${seconds % 60}s`
}
