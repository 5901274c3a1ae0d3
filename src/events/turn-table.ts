import { after, type Clock, type Duration, seconds } from '../kernel/index.ts'
import type { Schema, Store, Transaction } from '../store/index.ts'
import { type SealedBytes, toSealedBytes } from '../vault/index.ts'
import {
  type DeliveryChange,
  giveUpWaiting,
  nextAttemptOf,
  noteAttempt,
  putRefusedBehind,
} from './delivery-table.ts'
import { FARTHEST_AHEAD, tooOldAt } from './retry-plan.ts'

/** A webhook whose turn it is, and the proof that it is ours. */
export interface ClaimedWebhook {
  readonly account: string
  readonly url: string
  readonly sealedKey: SealedBytes
  /** Deliveries that failed in a row. */
  readonly failures: number
  /** How long it was left alone, all its life. */
  readonly pausedMs: number
  readonly fence: number
}

/** Receivers that soon take what they get, and those that did not take the last, or took long. */
export type Condition = 'prompt' | 'tardy'

/** Who takes so long is no better company than who does not answer. */
export const TARDY_AFTER: Duration = seconds(2)

/** What a failure means for the receiver: how often in a row, and what was seen. */
export interface Setback {
  readonly failures: number
  readonly problem: string
}

/** How a receiver is left alone. */
export interface Hold extends Setback {
  readonly until: Date
  /** What was refused before waits at least so long. */
  readonly refusedWaitUntil?: Date | undefined
}

/**
 * Whose turn it is. A turn is leased, so that two nodes never deliver for one account at once; a
 * holder that was too slow finds that its fence has moved on.
 */
export interface TurnTable {
  /** Leases those that are due, the longest due first. */
  claimDue(claim: TurnClaim): Promise<readonly ClaimedWebhook[]>
  isLeased(claimed: ClaimedWebhook): Promise<boolean>
  /** Notes that the receiver took an event: even if the lease was lost, for it did take it. */
  delivered(claimed: ClaimedWebhook, eventId: string, answerMs: number): Promise<void>
  /** Notes that one event was refused; nothing if the lease was lost. */
  refused(claimed: ClaimedWebhook, change: DeliveryChange, setback: Setback): Promise<void>
  /**
   * Ends the turn and leaves the receiver alone; gives up what would be too old afterwards, and says
   * how many those are. Nothing if the lease was lost.
   */
  hold(claimed: ClaimedWebhook, hold: Hold, change?: DeliveryChange): Promise<number>
  /** Ends the turn: `more` waits, or all that was due was read. */
  end(claimed: ClaimedWebhook, left: 'more' | 'drained'): Promise<void>
  /** Breaks the leases of a server that died: only where there can be no other. */
  recoverLeases(): Promise<void>
}

export interface TurnClaim {
  readonly condition: Condition
  readonly limit: number
  readonly leaseFor: Duration
}

interface TurnTableDeps {
  readonly store: Pick<Store, 'db' | 'transaction' | 'engine'>
  readonly clock: Clock
}

/** What a webhook is when nothing is wrong with its receiver. */
export const WELL = {
  ...{ failures: 0, problem: null, problem_at: null, held_until: null },
  answer_ms: 0,
} as const

export function createTurnTable(deps: TurnTableDeps): TurnTable {
  const { store, clock } = deps
  return {
    claimDue: (claim) => claimDue(deps, claim),
    isLeased: async ({ account, fence }) => {
      const row = await store.db
        .selectFrom('webhooks')
        .select('lease_fence')
        .where('account', '=', account)
        .executeTakeFirst()
      return row?.lease_fence === fence
    },
    delivered: (claimed, eventId, answerMs) =>
      store.transaction(async (trx) => {
        const now = clock.now()
        await noteAttempt(trx, { eventId, state: 'delivered', now })
        const answered = { delivered_at: now.getTime(), answer_ms: Math.round(answerMs) }
        await change(trx, claimed, { ...WELL, ...answered })
      }),
    refused: (claimed, delivery, setback) =>
      store.transaction(async (trx) => {
        const problem = { ...setback, problem_at: clock.now().getTime() }
        if (await change(trx, claimed, problem)) await noteAttempt(trx, delivery)
      }),
    hold: (claimed, wished, delivery) =>
      store.transaction((trx) => hold(trx, claimed, { ...wished, delivery, now: clock.now() })),
    end: (claimed, left) =>
      store.transaction(async (trx) => {
        const now = clock.now().getTime()
        const due = left === 'more' ? now : await nextAttemptOf(trx, claimed.account)
        await change(trx, claimed, { due_at: due ?? null, lease_until: null })
      }),
    recoverLeases: async () => {
      if (store.engine !== 'sqlite') return
      await store.db
        .updateTable('webhooks')
        .set((eb) => ({ lease_until: null, lease_fence: eb('lease_fence', '+', 1) }))
        .where('lease_until', 'is not', null)
        .execute()
    },
  }
}

async function claimDue(
  { store, clock }: TurnTableDeps,
  { condition, limit, leaseFor }: TurnClaim,
): Promise<readonly ClaimedWebhook[]> {
  const now = clock.now()
  const nowMs = now.getTime()
  const due = (db: Store['db'], count: number) =>
    db
      .selectFrom('webhooks')
      .select('account')
      .where((eb) => eb.or([eb('due_at', '<=', nowMs), eb('due_at', '>', nowMs + FARTHEST_AHEAD)]))
      .where((eb) =>
        condition === 'prompt'
          ? eb.and([eb('failures', '=', 0), eb('answer_ms', '<=', TARDY_AFTER)])
          : eb.or([eb('failures', '>', 0), eb('answer_ms', '>', TARDY_AFTER)]),
      )
      .where((eb) =>
        eb.or([
          eb('lease_until', 'is', null),
          eb('lease_until', '<=', nowMs),
          eb('lease_until', '>', nowMs + FARTHEST_AHEAD),
        ]),
      )
      .orderBy('due_at')
      .limit(count)
  // Most of the time nothing is due: found out without the writers' lock.
  if ((await due(store.db, 1).execute()).length === 0) return []
  return store.transaction(async (trx) => {
    const free = await due(trx, limit)
      // Two nodes that look at once get different accounts instead of waiting for each other.
      .$if(store.engine === 'postgres', (select) => select.forUpdate().skipLocked())
      .execute()
    if (free.length === 0) return []
    const rows = await trx
      .updateTable('webhooks')
      .set((eb) => ({
        lease_until: after(now, leaseFor).getTime(),
        lease_fence: eb('lease_fence', '+', 1),
      }))
      .where(
        'account',
        'in',
        free.map(({ account }) => account),
      )
      .returning(['account', 'url', 'sealed_key', 'failures', 'paused_ms', 'lease_fence as fence'])
      .execute()
    return rows.map(({ sealed_key, paused_ms: pausedMs, ...row }) => ({
      ...{ ...row, pausedMs, sealedKey: toSealedBytes(sealed_key) },
    }))
  })
}

async function hold(
  trx: Transaction<Schema>,
  claimed: ClaimedWebhook,
  { failures, problem, until, refusedWaitUntil, delivery, now }: Holding,
): Promise<number> {
  const untilMs = until.getTime()
  const pausedMs = claimed.pausedMs + untilMs - now.getTime()
  const isOurs = await change(trx, claimed, {
    ...{ failures, problem, problem_at: now.getTime(), paused_ms: pausedMs },
    ...{ held_until: untilMs, due_at: untilMs, lease_until: null },
  })
  if (!isOurs) return 0
  const { account } = claimed
  if (delivery) await noteAttempt(trx, delivery)
  if (refusedWaitUntil) await putRefusedBehind(trx, account, refusedWaitUntil)
  return giveUpWaiting(trx, account, { problem, now, tooOld: tooOldAt(until), pausedMs })
}

interface Holding extends Hold {
  readonly delivery: DeliveryChange | undefined
  readonly now: Date
}

/** Changes a webhook while its turn is ours; false, and nothing written, if that is over. */
async function change(
  trx: Transaction<Schema>,
  { account, fence }: ClaimedWebhook,
  values: WebhookChange,
): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('webhooks')
    .set(values)
    .where('account', '=', account)
    .where('lease_fence', '=', fence)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

interface WebhookChange {
  readonly failures?: number
  readonly problem?: string | null
  readonly problem_at?: number | null
  readonly held_until?: number | null
  readonly paused_ms?: number
  readonly answer_ms?: number
  readonly due_at?: number | null
  readonly lease_until?: number | null
  readonly delivered_at?: number
}
