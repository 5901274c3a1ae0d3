import { type Certificate, CertificateError } from '../certs/index.ts'
import { unreachable } from '../kernel/index.ts'
import { NetError, parseChain } from '../net/index.ts'
import { beginOrder, type OpenOrder } from './begin-order.ts'
import { createCsr } from './csr.ts'
import { AcmeError, isFailedValidation } from './errors.ts'
import type { IssueNeed } from './issuer.ts'
import { exportKey } from './order-key.ts'
import type { OrderRecord } from './order-table.ts'
import { pollOrder } from './poll.ts'
import type { Order } from './protocol/wire.ts'
import { proveControl, whyInvalid } from './prove.ts'
import { planRenewal } from './renewal-plan.ts'
import { settleOrder } from './settle-order.ts'
import type { Desk, OfficeDeps, Work } from './work.ts'

/**
 * Gets one certificate at one CA, from wherever the last attempt stopped:
 *
 *   intended ── newOrder ──► placed ── HTTP-01 ──► ready ── finalize ──► valid ── download ─┐
 *      ▲ key sealed first       ▲ URL written                                                 │
 *                                         issued ◄── verified, saved, in one transaction ◄──┘
 *
 * Throws AcmeErrors, and the signal's reason.
 */
export async function issueOnce(
  need: IssueNeed,
  desk: Desk,
  signal: AbortSignal,
): Promise<Certificate> {
  const { hostname } = need
  const latest = await desk.orders.latest(hostname)
  const unused = latest && (await unusedCertificate(latest, need, desk))
  if (unused) return unused

  const account = await desk.accounts.ensure(signal)
  const { key, publicJwk, url: accountUrl } = account
  const session = await desk.protocol.openSession({ key, publicJwk, accountUrl }, signal)
  const work: Work = { need, hostname, account, session, signal }
  try {
    const open = await beginOrder(work, latest, desk)
    await desk.health.noteAnswer()
    return await finish(work, open, desk)
  } catch (error) {
    if (error instanceof AcmeError && error.code === 'acme/account-unknown') {
      await desk.accounts.forget(account)
    }
    throw error
  }
}

/** Issued and saved, but whoever asked for it was killed before it was put to use. */
export async function unusedCertificate(
  { certificateId }: OrderRecord,
  { askedAt }: Pick<IssueNeed, 'askedAt'>,
  { orders, certs, clock }: Pick<OfficeDeps, 'orders' | 'certs' | 'clock'>,
): Promise<Certificate | undefined> {
  if (certificateId === undefined || !(await orders.isUnused(certificateId))) return undefined
  const certificate = await certs.find(certificateId)
  if (!certificate || (askedAt && certificate.createdAt < askedAt)) return undefined
  const isGood = !certificate.revokedAt && certificate.renewAt > clock.now()
  return isGood ? certificate : undefined
}

async function finish(work: Work, open: OpenOrder, desk: Desk): Promise<Certificate> {
  try {
    const order = await untilValid(work, open, desk)
    return await keep(work, { ...open, order }, desk)
  } catch (error) {
    if (!(error instanceof AcmeError)) throw error
    const { authority, orders, challenges, ledger } = desk
    if (isFailedValidation(error)) await ledger.failed(authority, work.hostname)
    const settled = await settleOrder(open.row, error, { stage: 'placed', orders })
    if (settled === 'closed') await challenges.withdraw(work.hostname)
    throw error
  }
}

/** pending, ready, processing, and a few more for CAs that go to and fro. */
const STEPS_MAX = 8

async function untilValid(work: Work, open: OpenOrder, desk: Desk): Promise<Order> {
  const { session, signal, hostname } = work
  const { readOrder } = session
  let { order } = open
  for (let step = 0; step < STEPS_MAX; step += 1) {
    switch (order.status) {
      case 'pending':
        order = await proveControl(work, order, desk)
        break
      case 'ready':
        order = await session.finalize(order, createCsr(hostname, open.key))
        break
      case 'processing':
        order = await pollOrder({ order, what: 'issuance', readOrder }, desk, signal)
        break
      case 'valid':
        return order
      case 'invalid':
        throw await whyInvalid(work, order)
      default:
        unreachable(order.status)
    }
  }
  throw new AcmeError('acme/bad-answer', 'the order goes round in circles')
}

/** Downloads and keeps the certificate: verified, saved and the order closed, or none of it. */
async function keep(work: Work, open: OpenOrder, desk: Desk): Promise<Certificate> {
  const { hostname, session } = work
  const { certificate: url } = open.order
  if (url === undefined) throw new AcmeError('acme/bad-answer', 'it does not say where to download')
  const chainPem = await session.download(url)
  const { random, clock, term, authority, certs, challenges, orders, store, ledger } = desk
  const keyPkcs8Der = exportKey(open.key)
  try {
    // Dates that nobody has vouched for yet: saving verifies all, or saves nothing.
    const [{ validFromDate: start, validToDate: end }] = parseChain(chainPem)
    const now = clock.now()
    const life = { start, end }
    const { renewAt, because } = planRenewal(
      { life, window: undefined, term, now, heldSince: now },
      random,
    )
    const { id } = open.row
    const draft = {
      ...{ id, hostname, chainPem, keyPkcs8Der },
      ...{ renewAt, renewBecause: because, source: authority.name },
    }
    const saved = await store.transaction(async (trx) => {
      if (!(await orders.finish(id, trx))) return undefined
      await challenges.withdraw(hostname, trx)
      await ledger.succeeded(authority, hostname, trx)
      return certs.save(draft, trx)
    })
    // Another node finished the same order at the same time, with the same key.
    const certificate = saved ?? (await certs.find(id))
    if (certificate) return certificate
    throw new AcmeError('acme/order-not-ready', 'another process ended this order')
  } catch (cause) {
    throw isUnusable(cause) ? unusable(cause) : cause
  } finally {
    keyPkcs8Der.fill(0)
  }
}

function isUnusable(error: unknown): error is CertificateError | NetError {
  return (
    (error instanceof CertificateError && error.code === 'certs/unusable') ||
    error instanceof NetError
  )
}

function unusable(cause: CertificateError | NetError): AcmeError {
  return new AcmeError('acme/bad-answer', cause.message, { cause })
}
