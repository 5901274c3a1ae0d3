import { after, type Clock, type Random, seconds, unreachable } from '../kernel/index.ts'
import type { Store } from '../store/index.ts'
import type { EventsRecord } from '../telemetry/index.ts'
import type { Vault } from '../vault/index.ts'
import type { Deliver, DeliveryOutcome } from './deliver.ts'
import { type Delivery, readDue } from './delivery-table.ts'
import { pauseAfter, planRetry } from './retry-plan.ts'
import { openSigningKey } from './signing-key.ts'
import { type ClaimedWebhook, TARDY_AFTER, type TurnTable } from './turn-table.ts'

export interface TurnDeps {
  readonly store: Pick<Store, 'db'>
  readonly turns: TurnTable
  readonly vault: Pick<Vault, 'open'>
  readonly deliver: Deliver
  readonly clock: Clock
  readonly random: Random
  readonly record: EventsRecord
}

/** `stopping` begins nothing new; `cutting` ends what is under way, which is then not counted. */
export interface TurnSignals {
  readonly stopping: AbortSignal
  readonly cutting: AbortSignal
}

/** After as many events, or so long, others have their turn. */
const DELIVERIES_PER_TURN = 20
const TURN_LASTS = seconds(20)
/** The longest turn, the last answer's deadline, and time to write down how it ended. */
export const TURN_LEASE = seconds(60)

/**
 * Delivers what is due for one account, in order and one at a time; each outcome is durable before
 * the next event is sent. Ends when nothing is left, when it has lasted long enough, when an answer
 * took long (the next turn is among others like it), or when the receiver must be left alone.
 */
export async function takeTurn(
  deps: TurnDeps,
  claimed: ClaimedWebhook,
  { stopping, cutting }: TurnSignals,
): Promise<void> {
  const { store, turns, clock } = deps
  const { account } = claimed
  const key = openKey(deps, claimed)
  if (key.kind === 'unreadable') return leaveAlone(deps, claimed, key.problem)
  const startedMs = clock.monotonicMs()
  const batch = await readDue(store, { account, now: clock.now(), limit: DELIVERIES_PER_TURN })
  let { failures } = claimed
  let isTardy = false
  const mayGoOn = (): boolean =>
    !(isTardy || stopping.aborted) && clock.monotonicMs() - startedMs <= TURN_LASTS
  try {
    for (const delivery of batch) {
      if (!mayGoOn()) break
      // The URL may have changed, and what is sent now must go to the new one.
      if (!(await turns.isLeased(claimed))) return
      const receiver = { url: claimed.url, key: key.bytes }
      const { event, attempts } = delivery
      const sentMs = clock.monotonicMs()
      const outcome = await deps.deliver(receiver, event, attempts + 1, cutting)
      const answerMs = clock.monotonicMs() - sentMs
      const attempted = { delivery, outcome, answerMs }
      const next = await noteOutcome(deps, { ...claimed, failures }, attempted)
      if (next === 'held') return
      failures = next.failures
      isTardy = answerMs > TARDY_AFTER
    }
    const isMore = isTardy || batch.length === DELIVERIES_PER_TURN
    await turns.end(claimed, isMore ? 'more' : 'drained')
  } catch (error) {
    if (!cutting.aborted) throw error
    await turns.end(claimed, 'more')
  } finally {
    key.bytes.fill(0)
  }
}

type OpenedKey =
  | { readonly kind: 'opened'; readonly bytes: Buffer }
  | { readonly kind: 'unreadable'; readonly problem: string }

function openKey({ vault, record }: TurnDeps, { account, sealedKey }: ClaimedWebhook): OpenedKey {
  try {
    return { kind: 'opened', bytes: openSigningKey(vault, account, sealedKey) }
  } catch (error) {
    record.keyUnreadable({ account, error })
    return { kind: 'unreadable', problem: 'The signing key does not open: set the webhook anew.' }
  }
}

/** Nothing can be sent now; nothing was. */
async function leaveAlone(deps: TurnDeps, claimed: ClaimedWebhook, problem: string): Promise<void> {
  const { turns, clock, random, record } = deps
  const failures = claimed.failures + 1
  const until = after(clock.now(), pauseAfter(failures, random))
  const count = await turns.hold(claimed, { failures, problem, until })
  if (count > 0) record.givenUp({ account: claimed.account, count })
}

interface Attempted {
  readonly delivery: Delivery
  readonly outcome: DeliveryOutcome
  readonly answerMs: number
}

/** Writes down what came of an attempt; says whether the turn goes on. */
async function noteOutcome(
  deps: TurnDeps,
  claimed: ClaimedWebhook,
  { delivery, outcome, answerMs }: Attempted,
): Promise<'held' | { readonly failures: number }> {
  const { turns, clock, record } = deps
  const { account, failures } = claimed
  const eventId = delivery.event.id
  const fields = { account, eventId, attempt: delivery.attempts + 1 }
  switch (outcome.kind) {
    case 'delivered':
      await turns.delivered(claimed, eventId, answerMs)
      record.delivered(fields)
      if (failures > 0) record.wellAgain({ account, failures })
      return { failures: 0 }
    case 'rejected': {
      const { problem } = outcome
      const change = { eventId, state: 'given-up', problem, now: clock.now() } as const
      // It answered as it was meant to: there is nothing wrong with the receiver.
      await turns.refused(claimed, change, { failures: 0, problem })
      record.rejected(fields)
      return { failures: 0 }
    }
    case 'failed':
      return noteFailure(deps, claimed, { delivery, outcome, answerMs })
    default:
      return unreachable(outcome)
  }
}

async function noteFailure(
  { turns, clock, random, record }: TurnDeps,
  claimed: ClaimedWebhook,
  { delivery, outcome }: Attempted & { readonly outcome: { kind: 'failed' } },
): Promise<'held' | { readonly failures: number }> {
  const { account } = claimed
  const { problem, blame } = outcome
  const { waitingSince, pausedBeforeMs, event } = delivery
  const now = clock.now()
  const attempts = delivery.attempts + 1
  const failures = claimed.failures + 1
  record.failed({ account, eventId: event.id, attempt: attempts, failures, problem })
  const pausedMs = claimed.pausedMs - pausedBeforeMs
  const facts = { blame, attempts, failures, waitingSince, pausedMs, now }
  const plan = planRetry(facts, random)
  const { retryAt } = plan
  const change = retryAt
    ? ({ eventId: event.id, state: 'waiting', nextAttemptAt: retryAt, problem, now } as const)
    : ({ eventId: event.id, state: 'given-up', problem, now } as const)
  if (!retryAt) record.givenUp({ account, count: 1 })
  if (plan.kind === 'next-event') {
    await turns.refused(claimed, change, { failures, problem })
    return { failures }
  }
  const count = await turns.hold(claimed, { failures, problem, ...plan }, change)
  if (count > 0) record.givenUp({ account, count })
  return 'held'
}
