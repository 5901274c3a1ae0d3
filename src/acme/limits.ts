import { type Duration, days, hours, milliseconds, minutes } from '../kernel/index.ts'

/**
 * A token bucket: each order takes one of `capacity` tokens, and an empty bucket fills up evenly in
 * `per`. What CAs mean by "300 in 3 hours", since they stopped counting in windows.
 */
export interface TokenBucket {
  readonly capacity: number
  readonly per: Duration
}

/**
 * What is counted. The first five are the CA's:
 * - `orders-per-account`: new orders of our account.
 * - `certificates-per-domain`: of a registered domain, whoever orders them.
 * - `certificates-per-name`: of exactly the same names, which is one name here.
 * - `failures-per-name`: failed validations of a name by our account.
 * - `failures-in-a-row`: without a success in between; then the CA pauses the name.
 *
 * The last is ours: `own-pace` spreads planned renewals. Its bucket is the least that they get,
 * however small the fleet; it grows with it.
 */
export const LIMIT_NAMES = [
  'orders-per-account',
  'certificates-per-domain',
  'certificates-per-name',
  'failures-per-name',
  'failures-in-a-row',
  'own-pace',
] as const

export type LimitName = (typeof LIMIT_NAMES)[number]

/** What a request is for, as far as CAs limit requests of one address by their kind. */
export const REQUEST_KINDS = [
  'new-nonce',
  'new-account',
  'new-order',
  'revoke',
  'renewal-info',
  'directory',
  'other',
] as const

export type RequestKind = (typeof REQUEST_KINDS)[number]

/**
 * What an order is to the CA: `first`, `renewal` (the name had a certificate of this CA before), or
 * `ari-renewal` (it `replaces` that one, inside the window that the CA suggested).
 */
export type OrderKind = 'first' | 'renewal' | 'ari-renewal'

/** What a CA lets one customer do. A limit that is not there is none. */
export interface CaLimits {
  readonly orders: Readonly<Partial<Record<LimitName, TokenBucket>>>
  /** Which limits do not count these orders. `own-pace` counts them all. */
  readonly exempt: Readonly<Record<Exclude<OrderKind, 'first'>, readonly LimitName[]>>
  /** Of one address. `capacity` is the burst, and `per` the time in which the CA allows as many. */
  readonly requests: Readonly<Partial<Record<RequestKind, TokenBucket>>>
}

/** `burst` requests at once, and `perSecond` in the long run. */
export function requestRate(perSecond: number, burst: number): TokenBucket {
  return { capacity: burst, per: milliseconds((burst / perSecond) * 1000) }
}

/**
 * A tenth of the least pace may come at once; so the peak of a small fleet is 660 orders in an hour.
 */
export const OWN_PACE: TokenBucket = { capacity: 600, per: hours(1) }

/** As Let's Encrypt does it (docs/rate-limits, 2026-08). */
export const RENEWALS_EXEMPT: CaLimits['exempt'] = {
  renewal: ['orders-per-account', 'certificates-per-domain'],
  'ari-renewal': [
    ...(['orders-per-account', 'certificates-per-domain'] as const),
    ...(['certificates-per-name', 'failures-per-name'] as const),
  ],
}

/** Where nothing is known, a renewal counts like any other order. */
const NOTHING_EXEMPT: CaLimits['exempt'] = { renewal: [], 'ari-renewal': [] }

/** For CAs that publish no figures: less than any of them is known to have refused. */
export const CAUTIOUS_LIMITS: CaLimits = {
  orders: {
    'orders-per-account': { capacity: 200, per: minutes(10) },
    'certificates-per-name': { capacity: 5, per: days(7) },
    'failures-per-name': { capacity: 5, per: hours(1) },
    'own-pace': OWN_PACE,
  },
  exempt: NOTHING_EXEMPT,
  requests: {
    'new-nonce': requestRate(5, 5),
    'new-account': requestRate(1, 2),
    'new-order': requestRate(2, 5),
    revoke: requestRate(2, 5),
    'renewal-info': requestRate(10, 10),
    directory: requestRate(2, 5),
    other: requestRate(20, 20),
  },
}

/**
 * For a directory of the operator's own: no limit but a pace that no CA in one's own house minds. A
 * certificate takes about seven requests, so this is good for a hundred certificates a second.
 */
export const UNLIMITED: CaLimits = {
  orders: {},
  exempt: NOTHING_EXEMPT,
  requests: {
    'new-nonce': requestRate(500, 200),
    'new-account': requestRate(20, 20),
    'new-order': requestRate(300, 200),
    revoke: requestRate(100, 100),
    'renewal-info': requestRate(500, 200),
    directory: requestRate(50, 50),
    other: requestRate(1_500, 500),
  },
}
