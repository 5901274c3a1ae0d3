import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { CertificateStore } from '../certs/index.ts'
import type { ChallengeBook } from '../challenges/index.ts'
import {
  type Clock,
  createSingleFlight,
  type Hostname,
  type Random,
  type Reason,
  Redacted,
} from '../kernel/index.ts'
import type { Store } from '../store/index.ts'
import type { AcmeRecord } from '../telemetry/index.ts'
import type { Vault } from '../vault/index.ts'
import { type Accounts, createAccounts } from './account.ts'
import { createAccountTable } from './account-table.ts'
import { createBrake } from './brake.ts'
import type { CertificateAuthority } from './cas/certificate-authority.ts'
import { findCertificateAuthority } from './cas/list.ts'
import { AcmeError } from './errors.ts'
import { issueOnce } from './issue.ts'
import type { Authority, CaHealth, IssueOutcome, Issuer } from './issuer.ts'
import { createLimiter } from './limiter.ts'
import type { AcmeOptions } from './options.ts'
import { createOrderTable, type OrderTable } from './order-table.ts'
import type { ExternalAccount } from './protocol/jws-engine.ts'
import { type AcmeProtocol, createProtocol } from './protocol/protocol.ts'
import { createTransport } from './protocol/transport.ts'
import { toReason } from './reasons.ts'
import type { IssueDeps } from './work.ts'

export interface IssuerDeps {
  readonly store: Pick<Store, 'db' | 'transaction'>
  readonly vault: Pick<Vault, 'seal' | 'open'>
  readonly certs: Pick<CertificateStore, 'save' | 'find'>
  readonly challenges: Pick<ChallengeBook, 'show' | 'withdraw'>
  readonly clock: Clock
  readonly random: Random
  readonly record: AcmeRecord
}

/** Throws `acme/bad-roots`. */
export function createIssuer(deps: IssuerDeps, options: AcmeOptions): Issuer & AsyncDisposable {
  const { store, clock, record } = deps
  const authority = chooseAuthority(options)
  const closing = new AbortController()
  const transport = createTransport({ extraRootsPem: readRoots(options) })
  const protocol = createProtocol(
    { transport, clock, record, closing: closing.signal },
    { directoryUrl: authority.directoryUrl, externalAccount: toExternalAccount(options) },
  )
  const table = createAccountTable(store)
  const orders = createOrderTable({ store, now: () => clock.now() })
  const accounts = createAccounts({ ...deps, table, protocol }, { authority, options })
  const first = (firstMs: number) => ({ firstMs })
  const learned = {
    validation: first(authority.validationMs),
    issuance: first(authority.validationMs / 2),
    refusesNotAfter: false,
  }
  const brake = createBrake(deps)
  const issueDeps = { ...deps, accounts, protocol, orders, authority, options, learned, brake }

  const limit = createLimiter(options.concurrency)
  const flight = createSingleFlight<Hostname, IssueOutcome>()
  const describeAuthority = () => whoIs(authority, { protocol, accounts })
  return {
    issue: ({ hostname }, signal) =>
      flight(hostname, async () => {
        const either = AbortSignal.any([signal, closing.signal])
        const heldBack = () => whyHeldBack(hostname, issueDeps)
        const issue = () => issueOrExplain({ hostname, signal: either }, issueDeps)
        // Asked again when its turn comes: the CA may have told somebody to wait meanwhile.
        return (await heldBack()) ?? limit(async () => (await heldBack()) ?? issue(), either)
      }),
    authority: describeAuthority,
    describe: async () => ({
      authority: await describeAuthority(),
      accounts: await table.all(),
      openOrders: await orders.open(OPEN_ORDERS_SHOWN_MAX),
    }),
    checkHealth: (signal) => checkHealth(protocol, signal),
    [Symbol.asyncDispose]: async () => {
      closing.abort()
      transport[Symbol.dispose]()
    },
  }
}

const OPEN_ORDERS_SHOWN_MAX = 1_000

function chooseAuthority({ ca }: Pick<AcmeOptions, 'ca'>): CertificateAuthority {
  const [preferred = ''] = ca.split(',')
  const found = findCertificateAuthority(preferred)
  if (found) return found
  throw new AcmeError('acme/bad-request', `acme.ca is "${preferred}", which is no CA`)
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

function toExternalAccount({ eab }: Pick<AcmeOptions, 'eab'>): ExternalAccount | undefined {
  if (eab === undefined) return undefined
  const cut = eab.indexOf(':')
  return { keyId: eab.slice(0, cut), hmacKey: new Redacted(eab.slice(cut + 1)) }
}

/**
 * A lost answer or a forgotten account costs one more attempt at once, for both are overcome by
 * picking up where we were; whatever else happens is for the caller's patience.
 */
const ATTEMPTS_MAX = 2

async function issueOrExplain(
  need: Parameters<typeof issueOnce>[0],
  deps: IssueDeps,
): Promise<IssueOutcome> {
  const { clock, record, authority, orders, brake } = deps
  const { hostname, signal } = need
  const startedMs = clock.monotonicMs()
  for (let attempt = 1; ; attempt += 1) {
    try {
      const certificate = await issueOnce(need, deps)
      const { id: certificateId, notAfter, renewAt } = certificate
      const ms = clock.monotonicMs() - startedMs
      record.certificateIssued({
        ca: authority.name,
        hostname,
        certificateId,
        notAfter,
        renewAt,
        ms,
      })
      return { kind: 'issued', certificate }
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof AcmeError)) throw error
      if (attempt < ATTEMPTS_MAX && isOvercomeAtOnce(error)) continue
      const reason = toReason(error, { authority, hostname })
      brake.pull(error)
      const retryAt = error.retryAt && brake.spread(error.retryAt)
      const { sentence } = reason
      record.issuanceRefused({ ca: authority.name, hostname, code: error.code, sentence, retryAt })
      return { kind: 'refused', reason, retryAt, orderUrl: await orderUrlOf(hostname, orders) }
    }
  }
}

/** The answer that another host got from the CA just now, and that this one would get, too. */
async function whyHeldBack(
  hostname: Hostname,
  { brake, authority, orders }: IssueDeps,
): Promise<IssueOutcome | undefined> {
  const held = brake.held()
  if (!held) return undefined
  return {
    kind: 'refused',
    reason: toReason(held.error, { authority, hostname }),
    retryAt: brake.spread(held.until),
    orderUrl: await orderUrlOf(hostname, orders),
  }
}

function isOvercomeAtOnce({ code }: AcmeError): boolean {
  return code === 'acme/unreachable' || code === 'acme/account-unknown'
}

async function orderUrlOf(hostname: Hostname, orders: OrderTable): Promise<string | undefined> {
  return (await orders.latest(hostname))?.url
}

async function whoIs(
  { name, directoryUrl, caaIdentities }: CertificateAuthority,
  { protocol, accounts }: { readonly protocol: AcmeProtocol; readonly accounts: Accounts },
): Promise<Authority> {
  const accountUrl = await accounts.knownUrl()
  const told = await protocol.directory().then(
    ({ meta }) => meta.caaIdentities,
    (error: unknown) => {
      // Judging CAA records must not depend on the CA being reachable right now.
      if (error instanceof AcmeError) return []
      throw error
    },
  )
  return { name, directoryUrl, caaIdentities: told.length > 0 ? told : caaIdentities, accountUrl }
}

async function checkHealth(protocol: AcmeProtocol, signal: AbortSignal): Promise<CaHealth> {
  try {
    return { kind: 'reachable', caDate: await protocol.readClock(signal) }
  } catch (error) {
    if (!(error instanceof AcmeError)) throw error
    return { kind: 'unreachable', reason: error.message, fix: error.fix }
  }
}
