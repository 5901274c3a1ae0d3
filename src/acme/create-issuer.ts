import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { CertificateStore } from '../certs/index.ts'
import type { ChallengeBook } from '../challenges/index.ts'
import {
  after,
  type Clock,
  createSingleFlight,
  days,
  type Hostname,
  milliseconds,
  type Random,
} from '../kernel/index.ts'
import type { Store } from '../store/index.ts'
import type { AcmeRecord } from '../telemetry/index.ts'
import type { Vault } from '../vault/index.ts'
import { createAccountTable } from './account-table.ts'
import { askWindow } from './ask-window.ts'
import { createAuthorityTable } from './authority-table.ts'
import type { FleetSize } from './budget.ts'
import { chooseDesk } from './choose-desk.ts'
import { createClockGuard } from './clock-guard.ts'
import { checkDesk, describeOffice, whoIs } from './describe.ts'
import { createDesks, type Desks } from './desks.ts'
import { AcmeError } from './errors.ts'
import { issueSomewhere } from './issue-somewhere.ts'
import type { IssueOutcome, Issuer } from './issuer.ts'
import { leaveCas } from './leave.ts'
import { createLedger } from './ledger.ts'
import { createLimiter } from './limiter.ts'
import type { AcmeOptions } from './options.ts'
import { createOrderTable, type OrderTable } from './order-table.ts'
import { createTransport } from './protocol/transport.ts'
import { planRenewal } from './renewal-plan.ts'
import { revokeAtCa } from './revoke.ts'
import { roomAt } from './room.ts'
import type { OfficeDeps } from './work.ts'

export interface IssuerDeps {
  readonly store: Pick<Store, 'db' | 'transaction'>
  readonly vault: Pick<Vault, 'seal' | 'open'>
  readonly certs: Pick<CertificateStore, 'save' | 'find'>
  readonly challenges: Pick<ChallengeBook, 'show' | 'withdraw'>
  readonly clock: Clock
  readonly random: Random
  readonly record: AcmeRecord
  /** How many certificates there are, for the pace of renewals; asked at each order. None, if left out. */
  readonly fleet?: () => FleetSize
}

/** Throws `acme/bad-roots`. */
export function createIssuer(deps: IssuerDeps, options: AcmeOptions): Issuer & AsyncDisposable {
  const { store, clock, random } = deps
  const { term } = options
  const { fleet = () => ({ hosts: 0, termMs: term }) } = deps
  const now = () => clock.now()
  const closing = new AbortController()
  const transport = createTransport({ extraRootsPem: readRoots(options) })
  const accountTable = createAccountTable(store)
  const authorityTable = createAuthorityTable({ store, now })
  const ledger = createLedger(deps, { fleet })
  const orders = createOrderTable({ store, now })
  const office: OfficeDeps = { ...deps, orders, ledger, clockGuard: createClockGuard(clock) }
  const tables = { accountTable, authorityTable }
  const desks = createDesks({ ...office, ...tables, transport, closing: closing.signal }, options)

  const limit = createLimiter(options.concurrency)
  const flight = createSingleFlight<Hostname, IssueOutcome>()
  const orClosing = (signal: AbortSignal) => AbortSignal.any([signal, closing.signal])
  return {
    issue: (need, signal) =>
      flight(need.hostname, () =>
        issueSomewhere(need, { desks, office, limit }, orClosing(signal)),
      ),
    admit: async (need) => {
      const choice = await chooseDesk(need, desks, office)
      return choice.kind === 'not-now' ? choice.admission : { kind: 'go' }
    },
    room: (urgency) => roomAt(desks.preferred, urgency),
    authorities: () => Promise.all(desks.preferred.map(whoIs)),
    askWindow: (certificate, signal) => askWindow(certificate, desks, orClosing(signal)),
    plan: ({ notBefore, notAfter, createdAt }, window) => {
      const life = { start: notBefore, end: notAfter }
      return planRenewal({ life, window, term, now: now(), heldSince: createdAt }, random)
    },
    leave: (hostname, signal) => leaveCas(hostname, { desks, office }, orClosing(signal)),
    revoke: (certificate, reason, signal) =>
      revokeAtCa(certificate, { reason, desks }, orClosing(signal)),
    clockSkew: () => office.clockGuard.skew(),
    describe: () => describeOffice(desks, { accountTable, orders }),
    checkHealth: (signal) => checkAll(desks, signal),
    sweep: async () => {
      await pruneOrders(orders, now())
      await ledger.sweep()
    },
    [Symbol.asyncDispose]: async () => {
      closing.abort()
      transport[Symbol.dispose]()
    },
  }
}

function checkAll({ preferred }: Desks, signal: AbortSignal) {
  return Promise.all(preferred.map((desk) => checkDesk(desk, signal)))
}

/** How long an order that ended is of interest: as long as the longest certificate lives. */
const ORDERS_KEPT = days(90)
/** At once, and in one sweep; the next one goes on. */
const PRUNED_AT_ONCE_MAX = 500
const PRUNE_ROUNDS_MAX = 100

async function pruneOrders(orders: OrderTable, now: Date): Promise<void> {
  const endedBefore = after(now, milliseconds(-ORDERS_KEPT))
  for (let round = 0; round < PRUNE_ROUNDS_MAX; round += 1) {
    if ((await orders.prune(endedBefore, PRUNED_AT_ONCE_MAX)) < PRUNED_AT_ONCE_MAX) return
  }
}

function readRoots({ roots }: Pick<AcmeOptions, 'roots'>): string | undefined {
  if (roots === undefined) return undefined
  try {
    const pem = readFileSync(roots, 'utf8')
    // Parsed here, because TLS would pass over what it cannot read.
    void new X509Certificate(pem)
    return pem
  } catch (cause) {
    throw badRoots(roots, cause)
  }
}

function badRoots(path: string, cause: unknown): AcmeError {
  const message = `acme.roots is ${path}, and that is not a file of PEM certificates.`
  const fix = 'Correct acme.roots, or leave it out if the CA has a public certificate.'
  return new AcmeError('acme/bad-roots', message, { cause, fix })
}
