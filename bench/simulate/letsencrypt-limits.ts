import type { ModelledLimits } from './modelled-ca.ts'
import { type BucketShape, bucketShape } from './token-buckets.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/**
 * Let's Encrypt's limits of 2026-08 (docs/rate-limits), written down a second time on purpose: a
 * slip in the figures of `src/acme/cas` must show as a 429 here. `ordersPerAccount` is what an
 * override makes of the usual 300 in 3 hours.
 */
export function letsencryptLimits(ordersPerAccount: BucketShape): ModelledLimits {
  return {
    ordersPerAccount,
    certificatesPerDomain: bucketShape(50, 7 * DAY_MS),
    certificatesPerExactSet: bucketShape(5, 7 * DAY_MS),
    failuresPerName: bucketShape(5, HOUR_MS),
    failuresInARow: bucketShape(1_152, 1_152 * DAY_MS),
  }
}

/**
 * The CA to fail over to publishes no figures. This is stricter than anything it is known for:
 * every certificate counts as an order, renewals as well, 1,200 an hour.
 */
export function strictLimits(): ModelledLimits {
  return {
    ordersPerAccount: bucketShape(200, HOUR_MS / 6),
    certificatesPerDomain: undefined,
    certificatesPerExactSet: bucketShape(5, 7 * DAY_MS),
    failuresPerName: bucketShape(5, HOUR_MS),
    failuresInARow: undefined,
  }
}
