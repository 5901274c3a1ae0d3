import {
  type BucketShape,
  createRareBuckets,
  createTokenBuckets,
  type TokenBuckets,
  WHOLE_TOKEN,
} from './token-buckets.ts'

// A CA as its customers meet it, written from Let's Encrypt's documents and from the behaviour of
// Boulder, and from nothing of ours: what it counts is what Postern is measured by.
//
// Not modelled: the number of requests per second and address (an hour's orders are few beside it),
// reuse of authorizations, and that the exact-set limit spans accounts.

/** What a CA allows. `undefined`: no such limit. */
export interface ModelledLimits {
  readonly ordersPerAccount: BucketShape | undefined
  readonly certificatesPerDomain: BucketShape | undefined
  readonly certificatesPerExactSet: BucketShape | undefined
  readonly failuresPerName: BucketShape | undefined
  /** Failures without a success in between: an empty bucket pauses the name. */
  readonly failuresInARow: BucketShape | undefined
}

export interface ModelledCaOptions {
  readonly name: string
  readonly hosts: number
  readonly domains: number
  readonly domainOf: (host: number) => number
  readonly limits: ModelledLimits
  /** From … to, in which nothing is answered. */
  readonly outages: readonly { readonly fromMs: number; readonly toMs: number }[]
  readonly lifetimeAt: (nowMs: number) => number
  /** Certificates that it wants replaced at once: those of these hosts, issued before. */
  readonly incident:
    | { readonly atMs: number; readonly isHit: (host: number) => boolean }
    | undefined
}

/** A certificate, as far as its dates go. */
export interface ModelledCertificate {
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

export type LimitName = Exclude<keyof ModelledLimits, 'failuresInARow'> | 'paused'

export type OrderAnswer =
  | { readonly kind: 'accepted'; readonly exempt: Exemption }
  /** 409: the certificate named in `replaces` has been replaced. */
  | { readonly kind: 'already-replaced' }
  | RateLimited
  | { readonly kind: 'down' }

/** What an order does not count against: everything, the account's and the domain's limit, nothing. */
export type Exemption = 'all' | 'account' | 'none'

export interface Window {
  readonly startMs: number
  readonly endMs: number
}

/** 429. Without an end: paused until a person says that it is mended. */
interface RateLimited {
  readonly kind: 'rate-limited'
  readonly limit: LimitName
  readonly retryAtMs: number
}

export interface AcceptedOrder {
  readonly exempt: Exemption
  readonly replacing: ModelledCertificate | undefined
}

export interface ModelledCa {
  readonly name: string
  isUp(nowMs: number): boolean
  /** When it is up again; now, if it is up. */
  backMs(nowMs: number): number
  /** `replacing` is the certificate named in `replaces`, if the order names one. */
  order(host: number, replacing: ModelledCertificate | undefined, nowMs: number): OrderAnswer
  /** Looks at the name itself; a failure is counted. */
  validate(host: number, seen: 'right' | 'wrong', nowMs: number): 'valid' | 'invalid'
  /** Hands out the certificate of an order that was accepted and whose name was found valid. */
  issue(host: number, order: AcceptedOrder, nowMs: number): ModelledCertificate
  /** When it suggests to renew (RFC 9773), asked now. */
  window(host: number, certificate: ModelledCertificate, nowMs: number): Window
  accountOrdersLeft(nowMs: number): number
}

interface Check {
  readonly limit: LimitName
  readonly buckets: TokenBuckets | undefined
  readonly bucketOf: (host: number) => number
  readonly isWaivedAtRenewal?: true
}

const itself = (host: number): number => host

const PAUSED: RateLimited = {
  kind: 'rate-limited',
  limit: 'paused',
  retryAtMs: Number.POSITIVE_INFINITY,
}

/** Backdated by an hour, for visitors with slow clocks. */
const BACKDATED_MS = 3_600_000
const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000

export function createModelledCa(options: ModelledCaOptions): ModelledCa {
  const { name, hosts, domains, domainOf, limits, outages, lifetimeAt, incident } = options
  const book = (shape: BucketShape | undefined, count: number): TokenBuckets | undefined =>
    shape && createTokenBuckets(count, shape)
  const account = book(limits.ordersPerAccount, 1)
  const ofDomain = book(limits.certificatesPerDomain, domains)
  const ofSet = book(limits.certificatesPerExactSet, hosts)
  const failures = limits.failuresPerName && createRareBuckets(limits.failuresPerName)
  const checks: readonly Check[] = [
    { limit: 'ordersPerAccount', buckets: account, bucketOf: () => 0, isWaivedAtRenewal: true },
    {
      ...{ limit: 'certificatesPerDomain', buckets: ofDomain },
      ...{ bucketOf: domainOf, isWaivedAtRenewal: true },
    },
    { limit: 'certificatesPerExactSet', buckets: ofSet, bucketOf: itself },
    { limit: 'failuresPerName', buckets: failures, bucketOf: itself },
  ]
  const failuresInARow = limits.failuresInARow && createRareBuckets(limits.failuresInARow)
  const wasIssued = new Uint8Array(hosts)
  /** The beginning of the last certificate that was replaced by name: it is not replaced twice. */
  const replacedMs = new Float64Array(hosts)

  const backMs = (nowMs: number): number => {
    for (const { fromMs, toMs } of outages) if (fromMs <= nowMs && nowMs < toMs) return toMs
    return nowMs
  }
  const isUp = (nowMs: number): boolean => backMs(nowMs) === nowMs

  const window = (host: number, certificate: ModelledCertificate, nowMs: number): Window => {
    const isHit =
      incident !== undefined &&
      incident.atMs <= nowMs &&
      certificate.notBeforeMs + BACKDATED_MS < incident.atMs &&
      incident.isHit(host)
    return isHit
      ? { startMs: nowMs - HOUR_MS, endMs: nowMs - HOUR_MS / 2 }
      : usualWindow(certificate)
  }

  /** The limit that stands against an order, of those that it is not exempt from. */
  const refusal = (host: number, exempt: Exemption, nowMs: number): RateLimited | undefined => {
    let farthest: RateLimited | undefined
    for (const { limit, buckets, bucketOf, isWaivedAtRenewal } of checks) {
      if (!buckets || (isWaivedAtRenewal && exempt === 'account')) continue
      const bucket = bucketOf(host)
      if (buckets.left(bucket, nowMs) >= WHOLE_TOKEN) continue
      const retryAtMs = buckets.nextAt(bucket, nowMs)
      if (farthest && farthest.retryAtMs >= retryAtMs) continue
      farthest = { kind: 'rate-limited', limit, retryAtMs }
    }
    return farthest
  }
  /** What naming a certificate in `replaces` brings; `undefined`: nothing. */
  const replacement = (
    host: number,
    replacing: ModelledCertificate,
    nowMs: number,
  ): OrderAnswer | undefined => {
    if (replacedMs[host] === replacing.notBeforeMs) return { kind: 'already-replaced' }
    const { startMs, endMs } = window(host, replacing, nowMs)
    // Boulder's rule: inside the window. That of an incident is over whenever it is asked for.
    return startMs <= nowMs && nowMs <= endMs ? { kind: 'accepted', exempt: 'all' } : undefined
  }
  const usualExemption = (host: number): Exemption => (wasIssued[host] === 1 ? 'account' : 'none')
  const isPaused = (host: number, nowMs: number): boolean =>
    failuresInARow !== undefined && failuresInARow.left(host, nowMs) < WHOLE_TOKEN

  return {
    name,
    isUp,
    backMs,
    order: (host, replacing, nowMs) => {
      if (!isUp(nowMs)) return { kind: 'down' }
      if (isPaused(host, nowMs)) return PAUSED
      const replaced = replacing && replacement(host, replacing, nowMs)
      if (replaced) return replaced
      const exempt = usualExemption(host)
      const refused = refusal(host, exempt, nowMs)
      if (refused) return refused
      if (exempt === 'none') account?.take(0, nowMs)
      return { kind: 'accepted', exempt }
    },
    validate: (host, seen, nowMs) => {
      if (seen === 'right') {
        failuresInARow?.fill(host)
        return 'valid'
      }
      failures?.take(host, nowMs)
      failuresInARow?.take(host, nowMs)
      return 'invalid'
    },
    issue: (host, { exempt, replacing }, nowMs) => {
      if (exempt === 'none') ofDomain?.take(domainOf(host), nowMs)
      ofSet?.take(host, nowMs)
      wasIssued[host] = 1
      if (replacing) replacedMs[host] = replacing.notBeforeMs
      const notBeforeMs = nowMs - BACKDATED_MS
      return { notBeforeMs, notAfterMs: notBeforeMs + lifetimeAt(nowMs) }
    },
    window,
    accountOrdersLeft: (nowMs) => account?.left(0, nowMs) ?? Number.POSITIVE_INFINITY,
  }
}

/** What the CA suggests as long as nothing is wrong: 2/3 of the life (half, if short) ± 1 %. */
function usualWindow({ notBeforeMs, notAfterMs }: ModelledCertificate): Window {
  const life = notAfterMs - notBeforeMs
  const centre = notBeforeMs + life * (life < 10 * DAY_MS ? 1 / 2 : 2 / 3)
  return { startMs: centre - life / 100, endMs: centre + life / 100 }
}
