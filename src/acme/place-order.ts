import { after } from '../kernel/index.ts'
import { certificateIdOf } from './certificate-id.ts'
import { wrongClock } from './clock-guard.ts'
import { isDefaultEnough } from './desk-facts.ts'
import { AcmeError } from './errors.ts'
import { isReplaceable } from './order-kind.ts'
import { overBudget } from './over-budget.ts'
import type { OrderWanted } from './protocol/session.ts'
import type { Order } from './protocol/wire.ts'
import type { Desk, Work } from './work.ts'

/**
 * Says what to order, or throws why nothing may be ordered now: our clock is wrong
 * (`acme/clock-wrong`), or the CA has no such profile (`acme/profile-unknown`). Asks the CA for its
 * directory at most.
 */
export async function planOrder(work: Work, desk: Desk): Promise<OrderWanted> {
  const { need, hostname, account, signal } = work
  const { protocol } = desk
  const { renewalInfo } = await protocol.directory()
  await refuseWrongClock(desk, signal)
  const profile = await profileFor(work, desk)
  const { replacing } = need
  const mayReplace =
    replacing !== undefined &&
    renewalInfo !== undefined &&
    (await isReplaceable(need, account.id, desk))
  const replaces = mayReplace ? certificateIdOf(replacing.chainPem) : undefined
  return { hostname, profile, replaces, notAfter: wishedEnd(desk) }
}

/** Ours, if the CA still offers it; its default for a certificate that has no time left. */
async function profileFor(work: Work, desk: Desk): Promise<string | undefined> {
  const { protocol, profile } = desk
  if (profile === undefined) return undefined
  const offers = async () => Object.keys((await protocol.directory()).meta.profiles)
  if ((await offers()).includes(profile)) return profile
  // What we know of it may be a day old.
  await protocol.readClock(work.signal)
  const offered = await offers()
  if (offered.includes(profile)) return profile
  const says = offered.length === 0 ? 'it offers none' : `it offers ${offered.join(', ')}`
  const error = new AcmeError('acme/profile-unknown', `"${profile}", and ${says}`)
  if (!isDefaultEnough(work.need, error)) throw error
  tellDefaultTaken(work, desk)
  return undefined
}

function tellDefaultTaken({ hostname }: Work, { authority, profile, record }: Desk): void {
  record.defaultProfileTaken({ ca: authority.name, hostname, profile: profile ?? '' })
}

async function refuseWrongClock(
  { clock, clockGuard, protocol }: Desk,
  signal: AbortSignal,
): Promise<void> {
  const verdict = clockGuard.verdict()
  if (verdict.kind === 'right') return
  if (!verdict.isRecent) await protocol.readClock(signal)
  const checked = clockGuard.verdict()
  if (checked.kind === 'wrong') throw wrongClock(checked.skew, clock.now())
}

/** Exactly our term, where the CA may take such wishes; a profile has a lifetime of its own. */
function wishedEnd({ authority, clock, learned, profile, term }: Desk): Date | undefined {
  if (profile !== undefined || learned.refusesNotAfter) return undefined
  return authority.notAfter === 'refused' ? undefined : after(clock.now(), term)
}

/**
 * Places an order. What the CA may not like in it is taken out once: that it replaces a certificate,
 * and an end of validity at a CA of which nobody knows whether it takes such wishes.
 */
export async function placeOrder(work: Work, wanted: OrderWanted, desk: Desk): Promise<Order> {
  const { session } = work
  try {
    return await session.placeOrder(wanted)
  } catch (error) {
    if (!(error instanceof AcmeError)) throw error
    if (wanted.replaces !== undefined && mayBeAboutReplaces(error)) {
      return await placeWithoutReplaces(work, wanted, desk, error)
    }
    if (wanted.profile !== undefined && isDefaultEnough(work.need, error)) {
      tellDefaultTaken(work, desk)
      return await placeOrder(work, { ...wanted, profile: undefined }, desk)
    }
    const mayBeAboutNotAfter = wanted.notAfter && desk.authority.notAfter === 'unknown'
    if (!mayBeAboutNotAfter || error.code !== 'acme/bad-request') throw error
    const order = await session.placeOrder({ ...wanted, notAfter: undefined })
    desk.learned.refusesNotAfter = true
    return order
  }
}

/**
 * RFC 9773 §5, what Boulder says of a certificate whose issuer it does not know, and a CA that stumbles
 * over the field: Pebble 2.10.1 does not find the order of one serial in some hundreds, and answers
 * with a 500 for ever.
 */
function mayBeAboutReplaces({ code, problem }: AcmeError): boolean {
  return (
    code === 'acme/already-replaced' ||
    code === 'acme/bad-request' ||
    code === 'acme/unauthorized' ||
    (problem?.type === 'serverInternal' && problem.status === SERVER_ERROR)
  )
}

const SERVER_ERROR = 500

/** It counts against more limits then. */
async function placeWithoutReplaces(
  work: Work,
  { replaces: _refused, ...wanted }: OrderWanted,
  desk: Desk,
  because: AcmeError,
): Promise<Order> {
  const { authority, ledger, record, store } = desk
  const { hostname, need } = work
  record.replacesRefused({ ca: authority.name, hostname, code: because.code })
  const order = { ca: authority, kind: 'renewal', urgency: need.urgency, hostname } as const
  const verdict = await store.transaction((trx) => ledger.spend(order, trx))
  if (verdict.kind === 'denied') throw overBudget(verdict)
  return placeOrder(work, wanted, desk)
}
