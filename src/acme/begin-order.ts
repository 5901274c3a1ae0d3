import type { KeyObject } from 'node:crypto'
import type { StoreTransaction } from '../certs/index.ts'
import { newId } from '../kernel/index.ts'
import { VaultError } from '../vault/index.ts'
import { AcmeError, isFailedValidation, leavesOrderOpen } from './errors.ts'
import type { OrderKind } from './limits.ts'
import { createOrderKey, openOrderKey } from './order-key.ts'
import { orderKindOf } from './order-kind.ts'
import type { OrderRecord } from './order-table.ts'
import { overBudget } from './over-budget.ts'
import { placeOrder, planOrder } from './place-order.ts'
import type { OrderWanted } from './protocol/session.ts'
import type { Order } from './protocol/wire.ts'
import { whyInvalid } from './prove.ts'
import { settleOrder } from './settle-order.ts'
import type { Desk, Intention, Work } from './work.ts'

/** An order at the CA, and ours for it. */
export interface OpenOrder extends Intention {
  readonly order: Order
}

/**
 * Tells the order to go on with: the open one, at the point where it was left, else a new one. The
 * intention and its key are stored before the CA hears of either, together with what it takes from
 * the budget. Throws AcmeErrors, and `acme/over-budget` when there is nothing left to take.
 */
export async function beginOrder(
  work: Work,
  latest: OrderRecord | undefined,
  desk: Desk,
): Promise<OpenOrder> {
  const picked = latest && (await pickUp(work, latest, desk))
  if (picked) return picked

  const wanted = await planOrder(work, desk)
  const intention = await intend(work, desk)
  if (intention) {
    return { ...intention, order: await placeOrGiveUp(work, intention.row, wanted, desk) }
  }
  // Another node was faster, by less than the time since `latest` was read.
  const theirs = await desk.orders.latest(work.hostname)
  const joined = theirs && (await pickUp(work, theirs, desk))
  if (joined) return joined
  throw new AcmeError('acme/order-not-ready', 'another process is at it')
}

async function intend(work: Work, desk: Desk): Promise<Intention | undefined> {
  const { hostname, account, need } = work
  const { orders, vault, clock, random } = desk
  const kind = await orderKindOf(need, account.id, desk)
  const id = newId({ clock, random })
  const { key, sealedKey } = createOrderKey({ hostname, id }, vault)
  const draft = { id, accountId: account.id, hostname, sealedKey, createdAt: clock.now() }
  if (!(await orders.intend(draft, (trx) => spend(work, kind, desk, trx)))) return undefined
  const nothing = { url: undefined, certificateId: undefined, problem: undefined }
  return { row: { ...draft, state: 'intended', authorizations: [], ...nothing }, key }
}

async function spend(
  { hostname, need }: Work,
  kind: OrderKind,
  { authority, ledger }: Desk,
  trx: StoreTransaction,
): Promise<void> {
  const order = { ca: authority, kind, urgency: need.urgency, hostname }
  const verdict = await ledger.spend(order, trx)
  // Thrown, so that the transaction takes back all of it.
  if (verdict.kind === 'denied') throw overBudget(verdict)
}

/** `undefined`: it is over, or cannot be finished by us; then it is closed. */
async function pickUp(work: Work, row: OrderRecord, desk: Desk): Promise<OpenOrder | undefined> {
  const { record, orders, challenges } = desk
  const { hostname } = work
  if (row.state === 'issued' || row.state === 'failed') return undefined
  const giveUp = async (because: string): Promise<undefined> => {
    record.orderGivenUp({ hostname, because })
    await orders.fail(row.id, because)
    await challenges.withdraw(hostname)
  }
  if (row.accountId !== work.account.id) return giveUp('it was placed at another CA')
  const key = openKey(row, desk)
  if (!key) return giveUp('its key cannot be opened')

  record.orderPickedUp({ hostname, state: row.state })
  if (row.url === undefined) {
    const found = await findUnwritten(work, desk)
    if (!found) return { row, key, order: await placeAgain(work, row, desk) }
    await orders.place(row.id, found)
    return { row: { ...row, url: found.url }, key, order: found }
  }
  const placed = await readPlaced(work, row.url, desk)
  return 'order' in placed ? { row, key, ...placed } : giveUp(placed.because)
}

/** The order as the CA has it, or why nothing can come of it any more. */
async function readPlaced(
  work: Work,
  url: string,
  { authority, ledger }: Desk,
): Promise<{ readonly order: Order } | { readonly because: string }> {
  try {
    const order = await work.session.readOrder(url)
    if (order.status !== 'invalid') return { order }
    // Whoever was to hear of it was killed before.
    const why = await whyInvalid(work, order)
    if (isFailedValidation(why)) await ledger.failed(authority, work.hostname)
    return { because: 'the CA ended it' }
  } catch (error) {
    if (!(error instanceof AcmeError) || error.code === 'acme/account-unknown') throw error
    if (leavesOrderOpen(error)) throw error
    return { because: error.message }
  }
}

/**
 * Asks for it once more. The CA may have heard the first time, and counts each asking, even if it
 * hands out the same order; so it costs again.
 */
async function placeAgain(work: Work, row: OrderRecord, desk: Desk): Promise<Order> {
  const wanted = await planOrder(work, desk)
  const kind = await orderKindOf(work.need, work.account.id, desk)
  await desk.store.transaction((trx) => spend(work, kind, desk, trx))
  return placeOrGiveUp(work, row, wanted, desk)
}

/** A damaged row must cost one order, not the host for ever. */
function openKey(row: OrderRecord, { vault }: Desk): KeyObject | undefined {
  try {
    return openOrderKey(row, vault)
  } catch (error) {
    if (error instanceof VaultError && error.code === 'vault/cannot-open') return undefined
    throw error
  }
}

/** Orders whose URL nobody wrote down are few: one per kill. */
const UNWRITTEN_MAX = 50

/**
 * Finds the order that the CA made and whose answer we never wrote down: in the account's list, less
 * the orders we know. A CA without a list hands out the same order again when asked for it.
 */
async function findUnwritten(
  { session, hostname }: Work,
  { orders }: Desk,
): Promise<Order | undefined> {
  const urls: string[] = []
  for await (const url of session.orderUrls()) urls.push(url)
  const known = await orders.known(urls)
  const unwritten = urls.filter((url) => !known.has(url)).slice(-UNWRITTEN_MAX)
  for (const url of unwritten.toReversed()) {
    const order = await session.readOrder(url)
    const isOurs = order.identifiers.length === 1 && order.identifiers[0]?.value === hostname
    // Finalized ones have another key than ours: we never got that far.
    if (isOurs && (order.status === 'pending' || order.status === 'ready')) return order
  }
  return undefined
}

/** Places the order. A clear no closes our side of it: there is nothing at the CA to come back to. */
async function placeOrGiveUp(
  work: Work,
  row: OrderRecord,
  wanted: OrderWanted,
  desk: Desk,
): Promise<Order> {
  const { orders, brake } = desk
  await brake.orderTurn(work.signal)
  try {
    const order = await placeOrder(work, wanted, desk)
    brake.orderPlaced()
    if (await orders.place(row.id, order)) return order
  } catch (cause) {
    if (!(cause instanceof AcmeError)) throw cause
    const error = isPause(cause, desk) ? paused(cause) : cause
    if (error.code === 'acme/rate-limited') brake.orderRefused()
    await settleOrder(row, error, { stage: 'placing', orders })
    throw error
  }
  // Two nodes placed it at once, and the other wrote first: go on with theirs.
  const written = await orders.latest(work.hostname)
  if (written?.id === row.id && written.url) return work.session.readOrder(written.url)
  throw new AcmeError('acme/order-not-ready', 'another process is at it')
}

/**
 * A limit on an order without a time is a pause, which only a person lifts, at CAs that pause names
 * (Let's Encrypt, since 2025). Others just do not say how long.
 */
function isPause({ problem, retryAt, askedFor }: AcmeError, { authority }: Desk): boolean {
  const isTimeless = problem?.type === 'rateLimited' && retryAt === undefined
  const pauses = authority.limits.orders['failures-in-a-row'] !== undefined
  return isTimeless && pauses && askedFor === 'one-order'
}

function paused(cause: AcmeError): AcmeError {
  return new AcmeError('acme/paused', cause.message, { cause, problem: cause.problem })
}
