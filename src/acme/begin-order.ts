import type { KeyObject } from 'node:crypto'
import { after, newId } from '../kernel/index.ts'
import { VaultError } from '../vault/index.ts'
import { AcmeError, leavesOrderOpen } from './errors.ts'
import { createOrderKey, openOrderKey } from './order-key.ts'
import type { OrderRecord } from './order-table.ts'
import type { OrderWanted } from './protocol/session.ts'
import type { Order } from './protocol/wire.ts'
import { settleOrder } from './settle-order.ts'
import type { Intention, IssueDeps, Work } from './work.ts'

/** An order at the CA, and ours for it. */
export interface OpenOrder extends Intention {
  readonly order: Order
}

/**
 * Tells the order to go on with: the open one, at the point where it was left, else a new one. The
 * intention and its key are stored before the CA hears of either.
 */
export async function beginOrder(
  work: Work,
  latest: OrderRecord | undefined,
  deps: IssueDeps,
): Promise<OpenOrder> {
  const picked = latest && (await pickUp(work, latest, deps))
  if (picked) return picked

  const intention = await intend(work, deps)
  if (intention) return { ...intention, order: await placeOrGiveUp(work, intention.row, deps) }

  // Another node was faster, by less than the time since `latest` was read.
  const theirs = await deps.orders.latest(work.hostname)
  const joined = theirs && (await pickUp(work, theirs, deps))
  if (joined) return joined
  throw new AcmeError('acme/order-not-ready', 'another process is at it')
}

async function intend(
  { hostname, account }: Work,
  { orders, vault, clock, random }: IssueDeps,
): Promise<Intention | undefined> {
  const id = newId({ clock, random })
  const { key, sealedKey } = createOrderKey({ hostname, id }, vault)
  const draft = { id, accountId: account.id, hostname, sealedKey, createdAt: clock.now() }
  if (!(await orders.intend(draft))) return undefined
  const nothing = { url: undefined, certificateId: undefined, problem: undefined }
  return { row: { ...draft, state: 'intended', ...nothing }, key }
}

/** `undefined`: it is over, or cannot be finished by us; then it is closed. */
async function pickUp(
  work: Work,
  row: OrderRecord,
  deps: IssueDeps,
): Promise<OpenOrder | undefined> {
  const { record, orders, challenges } = deps
  const { hostname } = work
  if (row.state === 'issued' || row.state === 'failed') return undefined
  const giveUp = async (because: string): Promise<undefined> => {
    record.orderGivenUp({ hostname, because })
    await orders.fail(row.id, because)
    await challenges.withdraw(hostname)
  }
  if (row.accountId !== work.account.id) return giveUp('it was placed at another CA')
  const key = openKey(row, deps)
  if (!key) return giveUp('its key cannot be opened')

  record.orderPickedUp({ hostname, state: row.state })
  if (row.url === undefined) {
    const found = await findUnwritten(work, deps)
    if (!found) return { row, key, order: await placeOrGiveUp(work, row, deps) }
    await orders.place(row.id, found.url)
    return { row: { ...row, url: found.url }, key, order: found }
  }
  try {
    const order = await work.session.readOrder(row.url)
    if (order.status === 'invalid') return await giveUp('the CA ended it')
    return { row, key, order }
  } catch (error) {
    if (!(error instanceof AcmeError) || error.code === 'acme/account-unknown') throw error
    if (leavesOrderOpen(error)) throw error
    return giveUp(error.message)
  }
}

/** A damaged row must cost one order, not the host for ever. */
function openKey(row: OrderRecord, { vault }: IssueDeps): KeyObject | undefined {
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
  { orders }: IssueDeps,
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
async function placeOrGiveUp(work: Work, row: OrderRecord, deps: IssueDeps): Promise<Order> {
  const { orders, brake } = deps
  await brake.orderTurn(work.signal)
  try {
    const order = await place(work, deps)
    brake.orderPlaced()
    if (await orders.place(row.id, order.url)) return order
  } catch (error) {
    if (!(error instanceof AcmeError)) throw error
    if (error.code === 'acme/rate-limited') brake.orderRefused()
    await settleOrder(row, error, { stage: 'placing', orders })
    throw error
  }
  // Two nodes placed it at once, and the other wrote first: go on with theirs.
  const written = await orders.latest(work.hostname)
  if (written?.id === row.id && written.url) return work.session.readOrder(written.url)
  throw new AcmeError('acme/order-not-ready', 'another process is at it')
}

/** Asks for exactly our term where the CA takes such wishes; finds out once whether it does. */
async function place({ session, hostname }: Work, deps: IssueDeps): Promise<Order> {
  const { authority, options, clock, learned } = deps
  const { profile } = options
  const wanted: OrderWanted = { hostname, profile }
  if (authority.notAfter === 'refused' || learned.refusesNotAfter) return session.placeOrder(wanted)
  try {
    return await session.placeOrder({ ...wanted, notAfter: after(clock.now(), options.term) })
  } catch (error) {
    if (!(error instanceof AcmeError) || error.code !== 'acme/bad-request') throw error
    if (authority.notAfter === 'honoured') throw error
    const order = await session.placeOrder(wanted)
    learned.refusesNotAfter = true
    return order
  }
}
