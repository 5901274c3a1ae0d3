import {
  type BudgetFacts,
  type BudgetVerdict,
  type FleetSize,
  judgeBudget,
  roomFor,
  type Spend,
} from '../../src/acme/budget.ts'
import type { CaLimits, OrderKind } from '../../src/acme/limits.ts'
import { days, type Urgency } from '../../src/kernel/index.ts'

export const BOOK_NOW = Date.parse('2026-11-22T12:00:00Z')
export const A_MILLION = { hosts: 1_000_000, termMs: days(60) }
export const A_FEW = { hosts: 100, termMs: days(60) }

/** Buckets as a ledger keeps them, and orders that are judged and spent. */
export function aBook(limits: CaLimits, fleet: FleetSize = A_FEW) {
  const book = new Map<string, number>()
  const fullAt = (limit: string, bucket: string) => book.get(`${limit}/${bucket}`)
  const note = ({ limit, bucket, fullAtMs }: Spend) => book.set(`${limit}/${bucket}`, fullAtMs)
  const judge = (order: Partial<BudgetFacts> = {}, nowMs = BOOK_NOW): BudgetVerdict =>
    judgeBudget({ ...AN_ORDER, limits, fleet, fullAt, ...order }, nowMs)
  return {
    judge,
    note,
    order: (order: Partial<BudgetFacts> = {}, nowMs = BOOK_NOW): BudgetVerdict => {
      const verdict = judge(order, nowMs)
      if (verdict.kind === 'allowed') for (const spend of verdict.spend) note(spend)
      return verdict
    },
    room: (urgency: Urgency, { kind = 'first' as OrderKind, nowMs = BOOK_NOW } = {}) =>
      roomFor({ limits, kind, urgency, fleet, fullAt }, nowMs),
  }
}

export const AN_ORDER = {
  kind: 'first',
  urgency: 'first',
  hostname: 'email.customer.com',
  domain: 'customer.com',
} as const
