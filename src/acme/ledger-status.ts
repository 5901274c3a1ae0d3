import { type Duration, milliseconds } from '../kernel/index.ts'
import type { AcmeRecord } from '../telemetry/index.ts'
import {
  ACCOUNT_BUCKET,
  type BucketName,
  type BucketShape,
  type FleetSize,
  LONG_AGO_MS,
  paceShape,
  shapeOf,
  TOLD_TO_WAIT,
  tokensLeft,
} from './budget.ts'
import type { CertificateAuthority } from './cas/certificate-authority.ts'
import type { LedgerRows } from './ledger-rows.ts'

/** One bucket, for people. */
export interface BudgetStatus {
  readonly limit: BucketName
  /** The name or domain it counts; `undefined`: the whole account. */
  readonly bucket?: string | undefined
  readonly capacity: number
  /** Whole orders that are left. */
  readonly left: number
  readonly fullAt: Date
  /** In which an empty one fills up. */
  readonly per: Duration
}

export interface StatusDeps {
  readonly rows: Pick<LedgerRows, 'readAccount' | 'emptiest'>
  readonly fleet: () => FleetSize
  readonly record: Pick<AcmeRecord, 'budgetLeft'>
}

/** Of each limit on names, so many buckets are shown. */
const EMPTIEST_SHOWN = 5

/** What is left of a CA's limits: the account's, and the names and domains with the least. */
export async function statusOf(
  ca: CertificateAuthority,
  nowMs: number,
  deps: StatusDeps,
): Promise<readonly BudgetStatus[]> {
  const statuses = [...(await statusOfAccount(ca, nowMs, deps))]
  const { orders } = ca.limits
  for (const limit of ['told-to-wait', ...LIMITS_OF_NAMES] as const) {
    const bucket = limit === 'told-to-wait' ? undefined : orders[limit]
    if (!bucket && limit !== 'told-to-wait') continue
    const shape = bucket ? shapeOf(bucket) : TOLD_TO_WAIT
    for (const { bucket: name, fullAtMs } of await deps.rows.emptiest(
      ca.name,
      limit,
      EMPTIEST_SHOWN,
    )) {
      if (name === ACCOUNT_BUCKET || fullAtMs <= nowMs) continue
      statuses.push(toStatus({ limit, bucket: name, shape, fullAtMs }, nowMs))
    }
  }
  return statuses
}

const LIMITS_OF_NAMES = [
  ...(['certificates-per-domain', 'certificates-per-name', 'failures-per-name'] as const),
]

/** Counted all the time, so shown even if it is full, and put into the metrics. */
async function statusOfAccount(
  { name, limits }: CertificateAuthority,
  nowMs: number,
  { rows, fleet, record }: StatusDeps,
): Promise<readonly BudgetStatus[]> {
  const { fullAt } = await rows.readAccount(name)
  const { 'orders-per-account': orders, 'own-pace': pace } = limits.orders
  const buckets: readonly (readonly [BucketName, BucketShape | undefined])[] = [
    [
      'told-to-wait',
      (fullAt('told-to-wait', ACCOUNT_BUCKET) ?? 0) > nowMs ? TOLD_TO_WAIT : undefined,
    ],
    ['orders-per-account', orders && shapeOf(orders)],
    ['own-pace', pace && paceShape(pace, fleet())],
  ]
  return buckets.flatMap(([limit, shape]) => {
    if (!shape) return []
    const status = toStatus({ limit, shape, fullAtMs: fullAt(limit, ACCOUNT_BUCKET) }, nowMs)
    record.budgetLeft({ ca: name, limit, left: status.left })
    return [status]
  })
}

interface Bucket {
  readonly limit: BucketName
  readonly bucket?: string
  readonly shape: BucketShape
  readonly fullAtMs: number | undefined
}

function toStatus({ limit, bucket, shape, fullAtMs }: Bucket, nowMs: number): BudgetStatus {
  const { capacity, perMs } = shape
  return {
    ...{ limit, bucket, capacity },
    // For people, as the CA's documents put it.
    left: tokensLeft(
      { shape: { ...shape, latenessMs: 0 }, reserve: 0 },
      fullAtMs ?? LONG_AGO_MS,
      nowMs,
    ),
    fullAt: new Date(Math.max(nowMs, fullAtMs ?? LONG_AGO_MS)),
    per: milliseconds(perMs),
  }
}
