import type { Hostname } from '../kernel/index.ts'
import type { Desks } from './desks.ts'
import { AcmeError, isUncertain } from './errors.ts'
import { openSession } from './open-session.ts'
import type { OrderRecord } from './order-table.ts'
import type { Desk, OfficeDeps } from './work.ts'

/**
 * Gives up what a host has proved to CAs: an authorization counts for up to 30 days, and whoever has
 * the account could get a certificate without another look. An open order ends with it. What is
 * done is noted one by one, so that it can be gone on with. Throws AcmeErrors of CAs that cannot be
 * asked now; a CA that has forgotten an authorization already is content.
 */
export async function leaveCas(
  hostname: Hostname,
  { desks, office }: { readonly desks: Desks; readonly office: OfficeDeps },
  signal: AbortSignal,
): Promise<void> {
  const { orders, challenges, record } = office
  // Whoever comes back meanwhile has an order of its own, which is none of ours.
  const latest = await orders.latest(hostname)
  for (const order of await orders.authorized(hostname)) {
    const desk = await desks.ofAccount(order.accountId)
    if (desk) {
      await giveUpAuthorizations(order, desk, signal)
      const authorizations = order.authorizations.length
      record.authorizationsGivenUp({ ca: desk.authority.name, hostname, authorizations })
    }
    await orders.forgetAuthorizations(order.id)
  }
  if (!latest) return
  await orders.fail(latest.id, 'the host left')
  const hasComeBack = (await orders.latest(hostname))?.id !== latest.id
  if (!hasComeBack) await challenges.withdraw(hostname)
}

async function giveUpAuthorizations(
  { authorizations }: OrderRecord,
  desk: Desk,
  signal: AbortSignal,
): Promise<void> {
  const { error } = await desk.health.read()
  if (error) throw error
  const session = await openSession(desk, signal)
  for (const url of authorizations) {
    try {
      await session.deactivateAuthorization(url)
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof AcmeError)) throw error
      if (isUncertain(error) || error.code === 'acme/rate-limited') throw error
    }
  }
}
