import {
  after,
  type Clock,
  createSingleFlight,
  type Hostname,
  seconds,
  type Urgency,
} from '../kernel/index.ts'
import type { Schema, Store, Transaction } from '../store/index.ts'
import type { AcmeRecord } from '../telemetry/index.ts'
import {
  accountBucketsOf,
  type BudgetVerdict,
  bucketsOf,
  emptyAt,
  type FleetSize,
  judgeBudget,
  LATENESS_MS_MAX,
  roomFor,
  shapeOf,
  spendFrom,
  type TouchedBucket,
} from './budget.ts'
import type { CertificateAuthority } from './cas/certificate-authority.ts'
import { type ClockJumps, createClockJumps } from './clock-jumps.ts'
import { createLedgerRows, furthestMs, type KnownRows, type LedgerRows } from './ledger-rows.ts'
import { type BudgetStatus, statusOf } from './ledger-status.ts'
import type { OrderKind } from './limits.ts'
import {
  createNameStandings,
  type NameStanding,
  type NameStandings,
  type PausedName,
} from './name-standings.ts'
import { registeredDomain } from './registered-domain.ts'
import { createToldToWait, type ToldToWait } from './told-to-wait.ts'

export type { BudgetVerdict, FleetSize } from './budget.ts'
export type { BudgetStatus } from './ledger-status.ts'
export type { NameStanding, PausedName } from './name-standings.ts'

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
   * spend the same. At most two statements, none for a CA without limits. Who asks the CA a
   * second time, as the answer was lost, spends once more.
   */
  spend(order: OrderToPlace, trx: Transaction<Schema>): Promise<BudgetVerdict>
  /** What `spend` would say now. */
  peek(order: OrderToPlace): Promise<BudgetVerdict>
  /** How many orders the whole account may place now: 0 … 1000. Single names may still have to wait. */
  room(
    ca: CertificateAuthority,
    order: { readonly kind: OrderKind; readonly urgency: Urgency },
  ): Promise<number>
  /** A validation failed; so the CA tried it, and a pause has been lifted. */
  failed(ca: CertificateAuthority, hostname: Hostname): Promise<void>
  /** A certificate was issued: failures in a row are forgotten, and a pause has been lifted. */
  succeeded(ca: CertificateAuthority, hostname: Hostname, trx?: Transaction<Schema>): Promise<void>
  /** The CA has paused the name, until a person visits the URL. */
  paused(ca: CertificateAuthority, hostname: Hostname, unpauseUrl?: string): Promise<void>
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
  /**
   * Deletes what is as if it had never been: full buckets, failures long ago. Tells the metrics what
   * is left at the CAs that were asked for.
   */
  sweep(): Promise<void>
}

export interface LedgerDeps {
  readonly store: Pick<Store, 'db' | 'transaction'>
  readonly clock: Clock
  readonly record: Pick<AcmeRecord, 'unforeseenRateLimit' | 'budgetLeft'>
}

export interface LedgerOptions {
  /** Asked at each order; must be cheap. */
  fleet(): FleetSize
}

/**
 * Creates the ledger over the store that all nodes share. When the machine's clock is set forward,
 * time counts as having stood still: nothing is spent until the next `peek` or `room` has said so
 * to the store.
 */
export function createLedger(deps: LedgerDeps, { fleet }: LedgerOptions): Ledger {
  const { store, clock } = deps
  const rows = createLedgerRows(store)
  const names = createNameStandings(store)
  const told = createToldToWait({ ...deps, rows })
  const jumps = createClockJumps(clock)
  const now = (): number => clock.now().getTime()
  /** As many as `acme.ca` names. */
  const seen = new Map<string, CertificateAuthority>()

  const mendJump = createJumpMending(jumps, (byMs) => rows.shift(byMs, now()))
  const factsOf = ({ ca, kind, urgency, hostname }: OrderToPlace) => {
    const domain = registeredDomain(hostname)
    return { limits: ca.limits, kind, urgency, hostname, domain, fleet: fleet() }
  }
  const costsNothing = async (ca: CertificateAuthority, trx?: Transaction<Schema>) =>
    isUnlimited(ca) && !(await told.isWaiting(ca, trx))

  const parts: LedgerParts = { ...deps, rows, names, told, now, fleet, mendJump }
  return {
    spend: async (order, trx) => {
      const { ca } = order
      if (await costsNothing(ca, trx)) return NOTHING_TO_SPEND
      if (jumps.jumpedMs() > 0) return laterBecauseOfClock(clock.now())
      const facts = factsOf(order)
      const { fullAt } = await rows.read(ca.name, bucketsOf(facts), trx)
      const verdict = judgeBudget({ ...facts, fullAt }, now())
      if (verdict.kind === 'allowed') await rows.write(ca.name, verdict.spend, trx)
      return verdict
    },
    peek: async (order) => {
      const { ca } = order
      if (await costsNothing(ca)) return NOTHING_TO_SPEND
      await mendJump()
      const facts = factsOf(order)
      const { fullAt } = await readMended(ca, bucketsOf(facts), parts)
      return judgeBudget({ ...facts, fullAt }, now())
    },
    room: (ca, order) => {
      seen.set(ca.name, ca)
      return roomOf(ca, order, parts)
    },
    failed: (ca, hostname) => spendFailure(ca, hostname, parts),
    succeeded: (ca, hostname, trx) => settleSuccess(ca, hostname, { ...parts, trx }),
    paused: (ca, hostname, unpauseUrl) => names.pause(ca, { hostname, nowMs: now(), unpauseUrl }),
    standing: (ca, hostname) => names.standing(ca, hostname, now()),
    pausedNames: (ca) => names.paused(ca),
    refused: (ca, refusal) => told.refused(ca, refusal),
    status: async (ca) => {
      await mendJump()
      return statusOf(ca, now(), parts)
    },
    sweep: async () => {
      await mendJump()
      await rows.prune(now() - 2 * LATENESS_MS_MAX)
      await names.prune(now())
      for (const ca of seen.values()) await statusOf(ca, now(), parts)
    },
  }
}

/** Makes a jump of the clock good: once, however many ask for it at the same time. */
function createJumpMending(
  jumps: ClockJumps,
  shift: (byMs: number) => Promise<void>,
): () => Promise<void> {
  const flight = createSingleFlight<'mend', void>()
  return async () => {
    const jumpMs = jumps.jumpedMs()
    if (jumpMs > 0) await flight('mend', () => shift(jumpMs).then(jumps.forget))
  }
}

/** What the verbs of a ledger share. */
interface LedgerParts extends LedgerDeps {
  readonly rows: LedgerRows
  readonly names: NameStandings
  readonly told: ToldToWait
  readonly now: () => number
  readonly fleet: () => FleetSize
  readonly mendJump: () => Promise<void>
}

const NOTHING_TO_SPEND: BudgetVerdict = { kind: 'allowed', spend: [] }

function isUnlimited({ limits }: CertificateAuthority): boolean {
  return Object.keys(limits.orders).length === 0
}

/** Who asks again has asked `peek` before, which makes it good. */
const MOMENT = seconds(1)

function laterBecauseOfClock(now: Date): BudgetVerdict {
  return { kind: 'denied', limit: 'told-to-wait', until: after(now, MOMENT), scope: 'account' }
}

async function readMended(
  ca: CertificateAuthority,
  touched: readonly TouchedBucket[],
  { rows, now }: LedgerParts,
): Promise<KnownRows> {
  const known = await rows.read(ca.name, touched)
  const impossible = known.impossible(touched, now())
  if (impossible.length > 0) await rows.mend(ca.name, impossible, now())
  return known
}

async function roomOf(
  ca: CertificateAuthority,
  { kind, urgency }: Pick<OrderToPlace, 'kind' | 'urgency'>,
  parts: LedgerParts,
): Promise<number> {
  const facts = { limits: ca.limits, kind, urgency, fleet: parts.fleet() }
  if (isUnlimited(ca) && !(await parts.told.isWaiting(ca))) {
    return roomFor({ ...facts, fullAt: () => undefined }, parts.now())
  }
  await parts.mendJump()
  const { fullAt } = await readMended(ca, accountBucketsOf(facts), parts)
  return roomFor({ ...facts, fullAt }, parts.now())
}

async function spendFailure(
  ca: CertificateAuthority,
  hostname: Hostname,
  { store, rows, names, now }: LedgerParts,
): Promise<void> {
  const { 'failures-per-name': perName, 'failures-in-a-row': inARow } = ca.limits.orders
  if (!perName && !inARow) return
  const nowMs = now()
  await store.transaction(async (trx) => {
    if (perName) {
      const shape = shapeOf(perName)
      const bucket = { limit: 'failures-per-name', bucket: hostname } as const
      const { fullAt } = await rows.read(ca.name, [bucket], trx)
      const knownMs = fullAt(bucket.limit, hostname) ?? nowMs
      // One failure too many empties it no further; and what a clock ahead of ours wrote stays.
      const spentMs = Math.min(spendFrom(shape, knownMs, nowMs), Math.ceil(emptyAt(shape, nowMs)))
      const fullAtMs = knownMs > furthestMs(shape, nowMs) ? spentMs : Math.max(spentMs, knownMs)
      await rows.write(ca.name, [{ ...bucket, fullAtMs }], trx)
    }
    if (inARow) await names.countFailure(ca, { hostname, nowMs }, trx)
  })
}

/**
 * The CA counts a certificate when it is issued, which may be days after it was ordered. As a name
 * has one open order at a time, its bucket can be brought to what the CA's is.
 */
async function settleSuccess(
  ca: CertificateAuthority,
  hostname: Hostname,
  { rows, names, now, trx }: LedgerParts & { readonly trx: Transaction<Schema> | undefined },
): Promise<void> {
  await names.forget(ca, hostname, trx)
  const limit = 'certificates-per-name'
  const bucket = ca.limits.orders[limit]
  if (!bucket) return
  const fullAtMs = spendFrom(shapeOf(bucket), now(), now())
  await rows.raise(ca.name, { limit, bucket: hostname, fullAtMs }, trx)
}
