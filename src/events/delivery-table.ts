import type { Schema, Store, Transaction } from '../store/index.ts'
import { type AccountEvent, rowToEvent } from './event.ts'
import { FARTHEST_AHEAD, type TooOld } from './retry-plan.ts'

/** An event on its way to its account's webhook. */
export interface Delivery {
  readonly event: AccountEvent
  /** Attempts so far. */
  readonly attempts: number
  readonly waitingSince: Date
  /** How long its receiver had been left alone in all, when the event came. */
  readonly pausedBeforeMs: number
}

/** Queues an event and wakes its account's webhook; does nothing if the account has none. */
export async function queueDelivery(
  trx: Transaction<Schema>,
  event: { readonly id: string; readonly account: string },
  now: Date,
): Promise<void> {
  const nowMs = now.getTime()
  const webhook = await trx
    .updateTable('webhooks')
    .set((eb) => ({
      // A receiver in trouble is left alone, whatever comes; one that is due stays in its place.
      due_at: eb
        .case()
        .when(eb.between('held_until', nowMs + 1, nowMs + FARTHEST_AHEAD))
        .then(eb.ref('held_until'))
        .when('due_at', '<', nowMs)
        .then(eb.ref('due_at'))
        .else(nowMs)
        .end(),
    }))
    .where('account', '=', event.account)
    .returning('paused_ms')
    .executeTakeFirst()
  if (!webhook) return
  await trx
    .insertInto('webhook_deliveries')
    .values({
      event_id: event.id,
      account: event.account,
      state: 'waiting',
      attempts: 0,
      next_attempt_at: nowMs,
      problem: null,
      created_at: nowMs,
      updated_at: nowMs,
      paused_before_ms: webhook.paused_ms,
    })
    .execute()
}

/** What is due for an account, oldest first. */
export async function readDue(
  { db }: Pick<Store, 'db'>,
  { account, now, limit }: { readonly account: string; readonly now: Date; readonly limit: number },
): Promise<readonly Delivery[]> {
  const nowMs = now.getTime()
  const rows = await db
    .selectFrom('webhook_deliveries as delivery')
    .innerJoin('events as event', 'event.id', 'delivery.event_id')
    .select(['delivery.attempts', 'delivery.created_at', 'delivery.paused_before_ms'])
    .select(['event.id', 'event.at', 'event.account', 'event.kind', 'event.hostname', 'event.data'])
    .where('delivery.state', '=', 'waiting')
    .where('delivery.account', '=', account)
    .where((eb) =>
      eb.or([
        eb('delivery.next_attempt_at', '<=', nowMs),
        eb('delivery.next_attempt_at', '>', nowMs + FARTHEST_AHEAD),
      ]),
    )
    .orderBy('delivery.event_id')
    .limit(limit)
    .execute()
  return rows.map(({ attempts, created_at, paused_before_ms, ...event }) => ({
    ...{ event: rowToEvent(event), attempts, waitingSince: new Date(created_at) },
    pausedBeforeMs: paused_before_ms,
  }))
}

/** What became of one attempt. */
export interface DeliveryChange {
  readonly eventId: string
  readonly state: 'waiting' | 'delivered' | 'given-up'
  readonly nextAttemptAt?: Date
  readonly problem?: string
  readonly now: Date
}

/** Counts an attempt and notes its end; one that was given up meanwhile stays so. */
export async function noteAttempt(
  db: Store['db'],
  { eventId, state, nextAttemptAt, problem, now }: DeliveryChange,
): Promise<void> {
  await db
    .updateTable('webhook_deliveries')
    .set((eb) => ({
      state,
      attempts: eb('attempts', '+', 1),
      next_attempt_at: nextAttemptAt?.getTime() ?? null,
      problem: problem ?? null,
      updated_at: now.getTime(),
    }))
    .where('event_id', '=', eventId)
    .where('state', '=', 'waiting')
    .execute()
}

/** Gives up what waits for an account; only what is too old, if that is said. Says how many. */
export async function giveUpWaiting(
  db: Store['db'],
  account: string,
  { problem, now, tooOld, pausedMs = 0 }: GivingUp,
): Promise<number> {
  let update = db
    .updateTable('webhook_deliveries')
    .set({ state: 'given-up', next_attempt_at: null, problem, updated_at: now.getTime() })
    .where('state', '=', 'waiting')
    .where('account', '=', account)
  if (tooOld) {
    const { since, notSince, walkedMs } = tooOld
    update = update
      .where((eb) =>
        eb.or([eb('created_at', '<', since.getTime()), eb('created_at', '>', notSince.getTime())]),
      )
      .where('paused_before_ms', '<=', pausedMs - walkedMs)
  }
  const { numUpdatedRows } = await update.executeTakeFirst()
  return Number(numUpdatedRows)
}

interface GivingUp {
  readonly problem: string
  readonly now: Date
  readonly tooOld?: TooOld
  /** How long the receiver was left alone in all. */
  readonly pausedMs?: number
}

/** Makes all that waits for an account due at once, as if never tried. */
export async function makeDue(db: Store['db'], account: string, now: Date): Promise<void> {
  await db
    .updateTable('webhook_deliveries')
    .set({ next_attempt_at: now.getTime(), attempts: 0, updated_at: now.getTime() })
    .where('state', '=', 'waiting')
    .where('account', '=', account)
    .execute()
}

/** Puts off what was tried before, so that what was not comes first. */
export async function putRefusedBehind(
  db: Store['db'],
  account: string,
  until: Date,
): Promise<void> {
  await db
    .updateTable('webhook_deliveries')
    .set({ next_attempt_at: until.getTime() })
    .where('state', '=', 'waiting')
    .where('account', '=', account)
    .where('attempts', '>', 0)
    .where('next_attempt_at', '<', until.getTime())
    .execute()
}

/** When the next delivery of an account is due; `undefined` if nothing waits. */
export async function nextAttemptOf(db: Store['db'], account: string): Promise<number | undefined> {
  const row = await db
    .selectFrom('webhook_deliveries')
    .select((eb) => eb.fn.min('next_attempt_at').as('next'))
    .where('state', '=', 'waiting')
    .where('account', '=', account)
    .executeTakeFirst()
  return row?.next ?? undefined
}

/** How many deliveries are in a state, and since when the oldest is; of one account or of all. */
export async function countDeliveries(
  { db }: Pick<Store, 'db'>,
  state: 'waiting' | 'given-up',
  account?: string,
): Promise<{ readonly count: number; readonly since: Date | undefined }> {
  let query = db
    .selectFrom('webhook_deliveries')
    .select(({ fn }) => [fn.countAll().as('count'), fn.min('created_at').as('since')])
    .where('state', '=', state)
  if (account !== undefined) query = query.where('account', '=', account)
  const row = await query.executeTakeFirst()
  const sinceMs = row?.since ?? undefined
  return {
    count: Number(row?.count ?? 0),
    since: sinceMs === undefined ? undefined : new Date(Number(sinceMs)),
  }
}

/** Forgets how deliveries before this event ended. */
export async function pruneDeliveries({ db }: Pick<Store, 'db'>, before: string): Promise<void> {
  await db
    .deleteFrom('webhook_deliveries')
    .where('event_id', '<', before)
    .where('state', '!=', 'waiting')
    .execute()
}
