import type { Duration, Hostname, Urgency } from '../kernel/index.ts'
import type { Schema, Transaction } from '../store/index.ts'
import type { BudgetVerdict, FleetSize } from './budget.ts'
import type { CertificateAuthority } from './cas/certificate-authority.ts'
import type { LimitName, OrderKind } from './limits.ts'

export type { BudgetVerdict, FleetSize } from './budget.ts'

/** An order before it is placed. */
export interface OrderToPlace {
  readonly ca: CertificateAuthority
  readonly kind: OrderKind
  readonly urgency: Urgency
  readonly hostname: Hostname
}

/** The CAs' limits as far as we have used them up; shared by all nodes through the store. */
export interface Ledger {
  /**
   * Takes what the order costs, in the transaction that writes down its intention: two nodes never
   * spend the same. At most two statements, none for a CA without limits. Somebody who places an
   * order that was written down more than `LATENESS_MS_MAX` ago spends once more.
   */
  spend(order: OrderToPlace, trx: Transaction<Schema>): Promise<BudgetVerdict>
  /** What `spend` would say now. */
  peek(order: OrderToPlace): Promise<BudgetVerdict>
  /** How many orders the whole account may place now: 0 … 1000. Single names may still have to wait. */
  room(
    ca: CertificateAuthority,
    order: { readonly kind: OrderKind; readonly urgency: Urgency },
  ): Promise<number>
  /** A validation failed. */
  failed(ca: CertificateAuthority, hostname: Hostname): Promise<void>
  /** A certificate was issued: failures in a row are forgotten, and a pause has been lifted. */
  succeeded(ca: CertificateAuthority, hostname: Hostname, trx?: Transaction<Schema>): Promise<void>
  /** The CA has paused the name, until a person visits the URL. */
  paused(ca: CertificateAuthority, hostname: Hostname, unpauseUrl?: string): Promise<void>
  /** Somebody says that the pause was lifted. */
  unpaused(ca: CertificateAuthority, hostname: Hostname): Promise<void>
  standing(ca: CertificateAuthority, hostname: Hostname): Promise<NameStanding>
  /** Names that a CA has paused, latest first; at most 1,000. */
  pausedNames(ca: CertificateAuthority): Promise<readonly PausedName[]>
  /**
   * The CA said 429 to an order that we thought it would take. Obeyed to the second and reported:
   * our figures are wrong. From the third name within a minute on it counts for the whole account.
   */
  refused(
    ca: CertificateAuthority,
    refusal: { readonly hostname: Hostname; readonly retryAt: Date },
  ): Promise<void>
  /** The limits of the whole account, and the names and domains with the least left. */
  status(ca: CertificateAuthority): Promise<readonly BudgetStatus[]>
  /** Deletes what is as if it had never been: full buckets, failures long ago. */
  sweep(): Promise<void>
}

/** How the CA looks at one name. */
export interface NameStanding {
  readonly failuresInARow: number
  /** Since when the CA has it paused. */
  readonly pausedAt?: Date | undefined
  readonly unpauseUrl?: string | undefined
  /** We stop by ourselves before the CA pauses the name: not to be tried before. */
  readonly restUntil?: Date | undefined
}

export interface PausedName {
  readonly hostname: string
  readonly pausedAt: Date
  readonly unpauseUrl?: string | undefined
}

/** One bucket, for people. */
export interface BudgetStatus {
  readonly limit: LimitName | 'told-to-wait'
  /** The name or domain it counts; `undefined`: the whole account. */
  readonly bucket?: string | undefined
  readonly capacity: number
  /** Whole orders that are left. */
  readonly left: number
  readonly fullAt: Date
  /** In which an empty one fills up. */
  readonly per: Duration
}

export interface LedgerOptions {
  /** Asked at each order; must be cheap. */
  fleet(): FleetSize
}
