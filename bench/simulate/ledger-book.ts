import {
  ACCOUNT_BUCKET,
  type BudgetVerdict,
  type CaLimits,
  type FleetSize,
  judgeBudget,
  type OrderKind,
  roomFor,
  shapeOf,
  spendFrom,
} from '../../src/acme/index.ts'
import type { Urgency } from '../../src/kernel/index.ts'

/** Postern's own count of one CA's limits, as the store keeps it: it outlives every restart. */
export interface LedgerBook {
  /** What the real budget says to an order now. */
  judge(order: OrderToJudge, nowMs: number): BudgetVerdict
  /** Writes down what an order costs. */
  spend(order: OrderToJudge, verdict: BudgetVerdict & { readonly kind: 'allowed' }): void
  room(order: Pick<OrderToJudge, 'kind' | 'urgency'>, nowMs: number): number
  /** A validation failed. */
  failed(host: number, nowMs: number): void
}

export interface OrderToJudge {
  readonly host: number
  readonly domain: number
  readonly kind: OrderKind
  readonly urgency: Urgency
}

export interface LedgerBookOptions {
  readonly limits: CaLimits
  readonly hosts: number
  readonly domains: number
  /** How many hosts there are, and how long certificates are used. */
  readonly fleet: () => FleetSize
}

export function createLedgerBook({ limits, hosts, domains, fleet }: LedgerBookOptions): LedgerBook {
  const ofAccount = new Map<string, number>()
  const ofName = new Float64Array(hosts)
  const ofDomain = new Float64Array(domains)
  const failures = new Map<number, number>()
  const failuresBucket = limits.orders['failures-per-name']
  const failuresShape = failuresBucket && shapeOf(failuresBucket)
  // Buckets of names are told by the limit and the order at hand; keys of a million names would be
  // most of the work.
  let at: { readonly host: number; readonly domain: number } = { host: 0, domain: 0 }
  const fullAt = (limit: string, bucket: string): number | undefined => {
    if (bucket === ACCOUNT_BUCKET) return ofAccount.get(limit)
    switch (limit) {
      case 'certificates-per-name':
        return ofName[at.host]
      case 'certificates-per-domain':
        return ofDomain[at.domain]
      case 'failures-per-name':
        return failures.get(at.host)
      default:
        return undefined
    }
  }

  return {
    judge: (order, nowMs) => {
      at = order
      const { kind, urgency } = order
      const names = { hostname: A_NAME, domain: A_DOMAIN }
      return judgeBudget({ limits, kind, urgency, ...names, fleet: fleet(), fullAt }, nowMs)
    },
    spend: ({ host, domain }, { spend }) => {
      for (const { limit, bucket, fullAtMs } of spend) {
        if (bucket === ACCOUNT_BUCKET) ofAccount.set(limit, fullAtMs)
        else if (limit === 'certificates-per-name') ofName[host] = fullAtMs
        else if (limit === 'certificates-per-domain') ofDomain[domain] = fullAtMs
      }
    },
    room: (order, nowMs) => roomFor({ limits, ...order, fleet: fleet(), fullAt }, nowMs),
    failed: (host, nowMs) => {
      if (!failuresShape) return
      failures.set(host, spendFrom(failuresShape, failures.get(host) ?? nowMs, nowMs))
    },
  }
}

const A_NAME = 'a name'
const A_DOMAIN = 'a domain'
