import type { Clock } from '../kernel/index.ts'
import { AcmeError } from './errors.ts'
import { learnTiming, type PollTiming, planPoll } from './poll-plan.ts'
import type { Order } from './protocol/wire.ts'

/** What was learned about this CA. Shared by all work of the process, and gone with it. */
export interface Learned {
  validation: PollTiming
  issuance: PollTiming
  /** It does not let us choose the end of validity. */
  refusesNotAfter: boolean
}

export interface PollSubject {
  readonly order: Order
  readonly what: 'validation' | 'issuance'
  readonly readOrder: (url: string) => Promise<Order>
}

/** Asks for the order until it has another status, or gives up with `acme/order-not-ready`. */
export async function pollOrder(
  { order, what, readOrder }: PollSubject,
  { clock, learned }: { readonly clock: Clock; readonly learned: Learned },
  signal: AbortSignal,
): Promise<Order> {
  const startedMs = clock.monotonicMs()
  let seen = order
  for (let polls = 0; ; polls += 1) {
    const step = planPoll(learned[what], {
      polls,
      waitedMs: clock.monotonicMs() - startedMs,
      retryAfterMs: seen.retryAfterMs,
    })
    if (step.kind === 'give-up') {
      throw new AcmeError('acme/order-not-ready', `${what} takes unusually long`)
    }
    await clock.sleep(step.ms, signal)
    seen = await readOrder(order.url)
    if (seen.status === order.status) continue
    learned[what] = learnTiming(learned[what], { polls: polls + 1 })
    return seen
  }
}
