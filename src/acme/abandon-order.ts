import type { Hostname } from '../kernel/index.ts'
import type { OpenElsewhere } from './desk-facts.ts'
import { AcmeError } from './errors.ts'
import { openSession } from './open-session.ts'
import type { Desk, OfficeDeps } from './work.ts'

/**
 * Ends an order at a CA, because the host goes on at another one. Not if its CA says that it is as
 * good as done: then it is to be finished first. A CA that cannot be asked is not asked; it forgets
 * the order by itself.
 */
export async function abandonOrder(
  { row, owner, patience }: OpenElsewhere,
  { hostname, office }: { readonly hostname: Hostname; readonly office: OfficeDeps },
  signal: AbortSignal,
): Promise<'abandoned' | 'to-be-finished'> {
  const { orders, challenges, record } = office
  const { url } = row
  if (owner && url !== undefined && (await isThere(owner))) {
    const status = await endAtCa(owner, url, signal)
    // One that has been processed for hours is not as good as done.
    if (status === 'valid') return 'to-be-finished'
    if (status !== 'ended' && patience === 'left') return 'to-be-finished'
  }
  const because = 'the host goes on at another CA'
  record.orderGivenUp({ hostname, because })
  await orders.fail(row.id, because)
  await challenges.withdraw(hostname)
  return 'abandoned'
}

async function isThere({ health }: Desk): Promise<boolean> {
  return (await health.read()).condition.kind === 'up'
}

/** Deactivating what it waits for ends an order (RFC 8555 §7.5.2); there is no other way. */
async function endAtCa(
  desk: Desk,
  url: string,
  signal: AbortSignal,
): Promise<'ended' | 'ready' | 'processing' | 'valid'> {
  try {
    const session = await openSession(desk, signal)
    const { status, authorizations } = await session.readOrder(url)
    if (status === 'invalid') return 'ended'
    if (status !== 'pending') return status
    for (const authorization of authorizations) await session.deactivateAuthorization(authorization)
    return 'ended'
  } catch (error) {
    signal.throwIfAborted()
    // Our side of it is closed all the same: no reason to stay at a CA that will not do.
    if (error instanceof AcmeError) return 'ended'
    throw error
  }
}
