import type { Clock } from '../kernel/index.ts'
import type { Schema, Store, Transaction } from '../store/index.ts'
import { type SealedBytes, toSealedBytes } from '../vault/index.ts'
import { countDeliveries, giveUpWaiting, makeDue, nextAttemptOf } from './delivery-table.ts'
import { WELL } from './turn-table.ts'
import type { Webhook, WebhooksStatus } from './webhook.ts'

/** Where to, and the key that signs. */
export interface SealedReceiver {
  readonly url: string
  readonly sealedKey: SealedBytes
}

/** Who is told where. */
export interface WebhookTable {
  /** Puts it there; what waits for one that was there before goes to this one, now. */
  put(account: string, receiver: SealedReceiver): Promise<void>
  find(account: string): Promise<SealedReceiver | undefined>
  describe(account: string): Promise<Webhook | undefined>
  /** Removes it and gives up what waits; says how much that was, `undefined` if there was none. */
  remove(account: string, problem: string): Promise<number | undefined>
  /** It is well again: what waits is due now. */
  recover(account: string): Promise<void>
  status(): Promise<WebhooksStatus>
}

interface WebhookTableDeps {
  readonly store: Pick<Store, 'db' | 'transaction'>
  readonly clock: Clock
}

export function createWebhookTable(deps: WebhookTableDeps): WebhookTable {
  const { store, clock } = deps
  return {
    put: (account, receiver) => put(deps, account, receiver),
    find: async (account) => {
      const row = await store.db
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
    recover: (account) => store.transaction((trx) => startOver(trx, account, clock.now())),
    status: async () => {
      const { count, since } = await countDeliveries(store, 'waiting')
      const failing = await store.db
        .selectFrom('webhooks')
        .select(({ fn }) => fn.countAll().as('count'))
        .where('failures', '>', 0)
        .executeTakeFirst()
      return { waiting: count, waitingSince: since, failing: Number(failing?.count ?? 0) }
    },
  }
}

function put(
  { store, clock }: WebhookTableDeps,
  account: string,
  { url, sealedKey }: SealedReceiver,
): Promise<void> {
  const now = clock.now()
  const values = { url, sealed_key: sealedKey, created_at: now.getTime(), delivered_at: null }
  return store.transaction(async (trx) => {
    await trx
      .insertInto('webhooks')
      .values({ account, ...values })
      .onConflict((conflict) =>
        conflict.column('account').doUpdateSet((eb) => ({
          ...values,
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
    ...{ account, url: row.url, createdAt: new Date(row.created_at) },
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
