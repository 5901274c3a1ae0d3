import { after, type Clock, type Duration, milliseconds } from '../kernel/index.ts'
import type { Schema, Store, Transaction } from '../store/index.ts'
import { type SealedBytes, toSealedBytes } from '../vault/index.ts'
import {
  countDeliveries,
  type DeliveryChange,
  giveUpWaiting,
  makeDue,
  nextAttemptOf,
  noteAttempt,
} from './delivery-table.ts'
import { GIVE_UP_AFTER } from './retry-plan.ts'
import type { Webhook, WebhooksStatus } from './webhook.ts'

/** A webhook whose turn it is, and the proof that it is ours. */
export interface ClaimedWebhook {
  readonly account: string
  readonly url: string
  readonly sealedKey: SealedBytes
  readonly failures: number
  readonly fence: number
}

/** Receivers that take what they get, and those that did not take the last. */
export type Condition = 'well' | 'failing'

/** What a failure means for the receiver: how often in a row, and whether it is left alone. */
export interface Setback {
  readonly failures: number
  readonly problem: string
  readonly heldUntil?: Date
}

/** The webhooks, and whose turn it is. A turn is leased: two nodes never deliver for one account. */
export interface WebhookTable {
  /** Puts the webhook there; what waits for one that was there before goes to this one, now. */
  put(
    account: string,
    webhook: { readonly url: string; readonly sealedKey: SealedBytes },
  ): Promise<void>
  find(account: string): Promise<{ url: string; sealedKey: SealedBytes } | undefined>
  describe(account: string): Promise<Webhook | undefined>
  /** Removes it and gives up what waits; says how much that was, `undefined` if there was none. */
  remove(account: string, problem: string): Promise<number | undefined>
  /** Leases those that are due, the longest due first. */
  claimDue(claim: TurnClaim): Promise<readonly ClaimedWebhook[]>
  isLeased(claimed: ClaimedWebhook): Promise<boolean>
  /** Notes that the receiver took an event: even if the lease was lost, for it did take it. */
  delivered(claimed: ClaimedWebhook, eventId: string): Promise<void>
  /** Notes that one event was refused; nothing if the lease was lost. */
  refused(claimed: ClaimedWebhook, change: DeliveryChange, setback: Setback): Promise<void>
  /**
   * Ends the turn and leaves the receiver alone; gives up what would be too old afterwards, and says
   * how many those are.
   */
  hold(
    claimed: ClaimedWebhook,
    setback: Required<Setback>,
    change?: DeliveryChange,
  ): Promise<number>
  /** Ends the turn: `more` waits, or all that was due was read. */
  end(claimed: ClaimedWebhook, left: 'more' | 'drained'): Promise<void>
  /** It is well again: what waits is due now. */
  recover(account: string): Promise<void>
  /** Breaks the leases of a server that died: only where there can be no other. */
  recoverLeases(): Promise<void>
  status(): Promise<WebhooksStatus>
}

export interface TurnClaim {
  readonly condition: Condition
  readonly limit: number
  readonly leaseFor: Duration
}

interface TableDeps {
  readonly store: Pick<Store, 'db' | 'transaction' | 'engine'>
  readonly clock: Clock
}

export function createWebhookTable(deps: TableDeps): WebhookTable {
  const { store, clock } = deps
  const { db } = store
  return {
    put: (account, webhook) => put(deps, account, webhook),
    find: async (account) => {
      const row = await db
        .selectFrom('webhooks')
        .select(['url', 'sealed_key'])
        .where('account', '=', account)
        .executeTakeFirst()
      return row && { url: row.url, sealedKey: toSealedBytes(row.sealed_key) }
    },
    describe: (account) => describeWebhook(store, account),
    remove: (account, problem) =>
      store.transaction(async (trx) => {
        const { numDeletedRows } = await trx
          .deleteFrom('webhooks')
          .where('account', '=', account)
          .executeTakeFirst()
        if (numDeletedRows === 0n) return undefined
        return giveUpWaiting(trx, account, { problem, now: clock.now() })
      }),
    claimDue: (claim) => claimDue(deps, claim),
    isLeased: async ({ account, fence }) => {
      const row = await db
        .selectFrom('webhooks')
        .select('lease_fence')
        .where('account', '=', account)
        .executeTakeFirst()
      return row?.lease_fence === fence
    },
    delivered: (claimed, eventId) => delivered(deps, claimed, eventId),
    refused: (claimed, change, setback) =>
      store.transaction(async (trx) => {
        if (await noteSetback(trx, claimed, setback, clock.now())) await noteAttempt(trx, change)
      }),
    hold: (claimed, setback, change) => hold(deps, claimed, { setback, change }),
    end: (claimed, left) => end(deps, claimed, left),
    recover: (account) => store.transaction((trx) => startOver(trx, account, clock.now())),
    recoverLeases: async () => {
      if (store.engine !== 'sqlite') return
      await db
        .updateTable('webhooks')
        .set((eb) => ({ lease_until: null, lease_fence: eb('lease_fence', '+', 1) }))
        .where('lease_until', 'is not', null)
        .execute()
    },
    status: async () => {
      const { count, since } = await countDeliveries(store, 'waiting')
      const failing = await db
        .selectFrom('webhooks')
        .select(({ fn }) => fn.countAll().as('count'))
        .where('failures', '>', 0)
        .executeTakeFirst()
      return { waiting: count, waitingSince: since, failing: Number(failing?.count ?? 0) }
    },
  }
}

const WELL = { failures: 0, problem: null, problem_at: null, held_until: null } as const

function put(
  { store, clock }: TableDeps,
  account: string,
  { url, sealedKey }: { readonly url: string; readonly sealedKey: SealedBytes },
): Promise<void> {
  const now = clock.now()
  const values = { url, sealed_key: Buffer.from(sealedKey), created_at: now.getTime() }
  return store.transaction(async (trx) => {
    await trx
      .insertInto('webhooks')
      .values({ account, ...values, ...WELL })
      .onConflict((conflict) =>
        conflict.column('account').doUpdateSet((eb) => ({
          ...values,
          ...WELL,
          delivered_at: null,
          // A turn under way was for the place before.
          lease_until: null,
          lease_fence: eb('webhooks.lease_fence', '+', 1),
        })),
      )
      .execute()
    await startOver(trx, account, now)
  })
}

/** Forgets what went wrong: what waits is due now. */
async function startOver(trx: Transaction<Schema>, account: string, now: Date): Promise<void> {
  await makeDue(trx, account, now)
  const due = await nextAttemptOf(trx, account)
  await trx
    .updateTable('webhooks')
    .set({ ...WELL, due_at: due ?? null })
    .where('account', '=', account)
    .execute()
}

async function describeWebhook(
  store: Pick<Store, 'db'>,
  account: string,
): Promise<Webhook | undefined> {
  const row = await store.db
    .selectFrom('webhooks')
    .selectAll()
    .where('account', '=', account)
    .executeTakeFirst()
  if (!row) return undefined
  const waiting = await countDeliveries(store, 'waiting', account)
  const givenUp = await countDeliveries(store, 'given-up', account)
  return {
    account,
    url: row.url,
    createdAt: new Date(row.created_at),
    waiting: waiting.count,
    waitingSince: waiting.since,
    givenUp: givenUp.count,
    problem: row.problem ?? undefined,
    problemAt: toDate(row.problem_at),
    failures: row.failures,
    nextAttemptAt: waiting.count > 0 ? toDate(row.due_at) : undefined,
    deliveredAt: toDate(row.delivered_at),
  }
}

function toDate(ms: number | null): Date | undefined {
  return ms === null ? undefined : new Date(ms)
}

async function claimDue(
  { store, clock }: TableDeps,
  { condition, limit, leaseFor }: TurnClaim,
): Promise<readonly ClaimedWebhook[]> {
  const now = clock.now()
  const due = (db: Store['db'], count: number) =>
    db
      .selectFrom('webhooks')
      .select('account')
      .where('due_at', '<=', now.getTime())
      .where('failures', condition === 'well' ? '=' : '>', 0)
      .where((eb) => eb.or([eb('lease_until', 'is', null), eb('lease_until', '<=', now.getTime())]))
      .orderBy('due_at')
      .limit(count)
  // Most of the time nothing is due: found out without the writers' lock.
  if ((await due(store.db, 1).execute()).length === 0) return []
  return store.transaction(async (trx) => {
    const free = await due(trx, limit)
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
      .returning(['account', 'url', 'sealed_key', 'failures', 'lease_fence as fence'])
      .execute()
    return rows.map(({ sealed_key, ...row }) => ({ ...row, sealedKey: toSealedBytes(sealed_key) }))
  })
}

function delivered(
  { store, clock }: TableDeps,
  { account, fence }: ClaimedWebhook,
  eventId: string,
): Promise<void> {
  const now = clock.now()
  return store.transaction(async (trx) => {
    await noteAttempt(trx, { eventId, state: 'delivered', now })
    await trx
      .updateTable('webhooks')
      .set({ ...WELL, delivered_at: now.getTime() })
      .where('account', '=', account)
      .where('lease_fence', '=', fence)
      .execute()
  })
}

/** False, and nothing written, if the lease was lost. */
async function noteSetback(
  trx: Transaction<Schema>,
  { account, fence }: ClaimedWebhook,
  { failures, problem, heldUntil }: Setback,
  now: Date,
): Promise<boolean> {
  const held = heldUntil && {
    held_until: heldUntil.getTime(),
    due_at: heldUntil.getTime(),
    lease_until: null,
  }
  const { numUpdatedRows } = await trx
    .updateTable('webhooks')
    .set({ failures, problem, problem_at: now.getTime(), ...held })
    .where('account', '=', account)
    .where('lease_fence', '=', fence)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

function hold(
  { store, clock }: TableDeps,
  claimed: ClaimedWebhook,
  {
    setback,
    change,
  }: { readonly setback: Required<Setback>; readonly change?: DeliveryChange | undefined },
): Promise<number> {
  const now = clock.now()
  return store.transaction(async (trx) => {
    if (!(await noteSetback(trx, claimed, setback, now))) return 0
    if (change) await noteAttempt(trx, change)
    const before = after(setback.heldUntil, milliseconds(-GIVE_UP_AFTER))
    return giveUpWaiting(trx, claimed.account, { problem: setback.problem, now, before })
  })
}

function end(
  { store, clock }: TableDeps,
  { account, fence }: ClaimedWebhook,
  left: 'more' | 'drained',
): Promise<void> {
  const now = clock.now().getTime()
  return store.transaction(async (trx) => {
    const due = left === 'more' ? now : await nextAttemptOf(trx, account)
    await trx
      .updateTable('webhooks')
      .set({ due_at: due ?? null, lease_until: null })
      .where('account', '=', account)
      .where('lease_fence', '=', fence)
      .execute()
  })
}
