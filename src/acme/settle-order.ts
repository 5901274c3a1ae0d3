import { type AcmeError, isUncertain, leavesOrderOpen } from './errors.ts'
import type { OrderRecord, OrderTable } from './order-table.ts'

/** How far the order had got when something went wrong: asked for, or known to be at the CA. */
export type OrderStage = 'placing' | 'placed'

/**
 * Closes an order that nothing can come of, so that the next attempt begins anew, and leaves one
 * open that may still end well. An answer that cannot be used is forgiven once: a proxy may have
 * been in the way, but a CA that sends it again will send it for ever.
 */
export async function settleOrder(
  row: Pick<OrderRecord, 'id' | 'problem'>,
  error: AcmeError,
  {
    stage,
    orders,
  }: { readonly stage: OrderStage; readonly orders: Pick<OrderTable, 'fail' | 'note'> },
): Promise<'left-open' | 'closed'> {
  const mayGoOn = stage === 'placing' ? isUncertain(error) : leavesOrderOpen(error)
  const isRepeated = error.code === 'acme/bad-answer' && row.problem === error.code
  if (mayGoOn && !isRepeated) {
    await orders.note(row.id, error.code)
    return 'left-open'
  }
  await orders.fail(row.id, error.code)
  return 'closed'
}
