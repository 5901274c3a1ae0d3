import type { IssueNeed } from './issuer.ts'
import type { OrderKind } from './limits.ts'
import type { Desk } from './work.ts'

/** What an order will be to the CA, and so which of its limits count. */
export async function orderKindOf(
  need: IssueNeed,
  accountId: string | undefined,
  desk: Pick<Desk, 'authority' | 'orders' | 'clock'>,
): Promise<OrderKind> {
  if (accountId === undefined) return 'first'
  if (await isReplaceable(need, accountId, desk)) {
    // Outside the window nothing is granted for `replaces` (Boulder, validateReplacementOrder).
    const { window } = need.replacing ?? {}
    const now = desk.clock.now()
    return window && window.start <= now && now < window.end ? 'ari-renewal' : 'renewal'
  }
  return (await desk.orders.hasIssued(need.hostname, accountId)) ? 'renewal' : 'first'
}

/** Only a certificate that this very account got at this very CA can be named in `replaces`. */
export async function isReplaceable(
  { replacing }: IssueNeed,
  accountId: string,
  { authority, orders }: Pick<Desk, 'authority' | 'orders'>,
): Promise<boolean> {
  if (replacing?.source !== authority.name) return false
  return (await orders.find(replacing.id))?.accountId === accountId
}
