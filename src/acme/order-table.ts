import { z } from 'zod'
import {
  type AcmeOrderRow,
  isUniqueViolation,
  type Schema,
  type Store,
  type Transaction,
} from '../store/index.ts'
import type { SealedBytes } from '../vault/index.ts'

/**
 * intended → placed → issued, or failed from anywhere. The intention, with its key, is written before
 * the CA hears of it; from the URL on the CA itself knows best how far the order has got.
 */
export type OrderState = 'intended' | 'placed' | 'issued' | 'failed'

/** One order for one name, with the key of the certificate it is for. */
export interface OrderRecord {
  /** Also the id of the certificate, once there is one: so it cannot be saved twice. */
  readonly id: string
  readonly accountId: string
  readonly hostname: string
  readonly state: OrderState
  readonly url: string | undefined
  /** As the row has it. Empty once the order has ended: then the certificate alone has the key. */
  readonly sealedKey: Buffer
  readonly certificateId: string | undefined
  readonly problem: string | undefined
  /** URLs of what was or is to be proved for it. */
  readonly authorizations: readonly string[]
  readonly createdAt: Date
}

export interface OrderTable {
  /** The latest of a host. At most one per host is open, and that is always the latest. */
  latest(hostname: string): Promise<OrderRecord | undefined>
  find(id: string): Promise<OrderRecord | undefined>
  /** Has this account ever got a certificate for the host, as far as anybody remembers? */
  hasIssued(hostname: string, accountId: string): Promise<boolean>
  /**
   * Writes down an order to come, and with it, in one transaction, what `spend` does; nothing, if
   * that throws. `false`: somebody else has one open for this host.
   */
  intend(draft: OrderDraft, spend: (trx: Transaction<Schema>) => Promise<void>): Promise<boolean>
  /** Moves an open order on. `false`: it is not open any more, or is placed elsewhere already. */
  place(id: string, order: PlacedOrder): Promise<boolean>
  /** Ends it, and its copy of the key, in the transaction that saves its certificate. `false`: it was ended already. */
  finish(id: string, trx: Transaction<Schema>): Promise<boolean>
  fail(id: string, problem: string): Promise<void>
  /** Notes what went wrong with an order that stays open. */
  note(id: string, problem: string): Promise<void>
  /** Which of these URLs belong to orders of ours. */
  known(urls: readonly string[]): Promise<ReadonlySet<string>>
  /** Does the certificate still have its key, and does nobody serve it yet? */
  isUnused(certificateId: string): Promise<boolean>
  open(limit: number): Promise<readonly OrderRecord[]>
  /** The orders of a host that have authorizations at their CA which nobody gave up. */
  authorized(hostname: string): Promise<readonly OrderRecord[]>
  /** The authorizations have been given up. */
  forgetAuthorizations(id: string): Promise<void>
  /**
   * Deletes orders that ended before, at most `limit` at once, but for the latest certificate that
   * each account got for a host: its renewal names it, and what it proved may still count.
   */
  prune(endedBefore: Date, limit: number): Promise<number>
}

/** What the CA said of it. */
export interface PlacedOrder {
  readonly url: string
  readonly authorizations: readonly string[]
}

export interface OrderDraft
  extends Pick<OrderRecord, 'id' | 'accountId' | 'hostname' | 'createdAt'> {
  readonly sealedKey: SealedBytes
}

/** As the table counts them, of which a host has one at most; `finalizing` was never written. */
const OPEN = ['intended', 'placed', 'finalizing']
const ENDED = ['issued', 'failed']
/** What remains where a key was. */
const NOTHING = Buffer.alloc(0)
/** Engines bound the parameters of a statement: SQLite at 32,766, PostgreSQL at 65,535. */
const URLS_PER_QUERY_MAX = 1_000

export function createOrderTable({
  store,
  now,
}: {
  readonly store: Pick<Store, 'db' | 'transaction'>
  readonly now: () => Date
}): OrderTable {
  const { db } = store
  const update = (id: string, values: Partial<AcmeOrderRow>, trx?: Transaction<Schema>) =>
    (trx ?? db)
      .updateTable('acme_orders')
      .set({ ...values, updated_at: now().getTime() })
      .where('id', '=', id)
      .where('state', 'in', OPEN)

  return {
    latest: async (hostname) => {
      const query = db.selectFrom('acme_orders').selectAll().where('hostname', '=', hostname)
      const sorted = query.orderBy('created_at', 'desc').orderBy('id', 'desc')
      const row = await sorted.limit(1).executeTakeFirst()
      return row && toRecord(row)
    },
    find: async (id) => {
      const query = db.selectFrom('acme_orders').selectAll().where('id', '=', id)
      const row = await query.executeTakeFirst()
      return row && toRecord(row)
    },
    hasIssued: async (hostname, accountId) => {
      const query = db.selectFrom('acme_orders').select('id').where('hostname', '=', hostname)
      const issued = query.where('account_id', '=', accountId).where('state', '=', 'issued')
      return (await issued.limit(1).executeTakeFirst()) !== undefined
    },
    intend: async (draft, spend) => {
      try {
        await store.transaction(async (trx) => {
          await spend(trx)
          await trx.insertInto('acme_orders').values(toIntended(draft)).execute()
        })
        return true
      } catch (error) {
        if (isUniqueViolation(error)) return false
        throw error
      }
    },
    place: async (id, { url, authorizations }) => {
      const placed = { state: 'placed', url, authorizations: JSON.stringify(authorizations) }
      const placing = update(id, placed).where('url', 'is', null)
      return (await placing.executeTakeFirst()).numUpdatedRows > 0
    },
    finish: async (id, trx) => {
      const ended = { state: 'issued', certificate_id: id, problem: null, sealed_key: NOTHING }
      const finishing = update(id, ended, trx)
      return (await finishing.executeTakeFirst()).numUpdatedRows > 0
    },
    fail: async (id, problem) => {
      await update(id, { state: 'failed', problem, sealed_key: NOTHING }).execute()
    },
    note: async (id, problem) => {
      await update(id, { problem }).execute()
    },
    known: async (urls) => {
      const found = new Set<string>()
      for (let at = 0; at < urls.length; at += URLS_PER_QUERY_MAX) {
        const some = urls.slice(at, at + URLS_PER_QUERY_MAX)
        const query = db.selectFrom('acme_orders').select('url').where('url', 'in', some)
        for (const { url } of await query.execute()) if (url !== null) found.add(url)
      }
      return found
    },
    isUnused: async (certificateId) => {
      const query = db.selectFrom('certificates').select(['is_current', 'sealed_key'])
      const row = await query.where('id', '=', certificateId).executeTakeFirst()
      return row !== undefined && row.is_current === 0 && row.sealed_key.length > 0
    },
    open: async (limit) => {
      const query = db.selectFrom('acme_orders').selectAll().where('state', 'in', OPEN)
      return (await query.orderBy('created_at').limit(limit).execute()).map(toRecord)
    },
    authorized: async (hostname) => {
      const query = db.selectFrom('acme_orders').selectAll().where('hostname', '=', hostname)
      const rows = await query.where('authorizations', 'is not', null).execute()
      return rows.map(toRecord)
    },
    forgetAuthorizations: async (id) => {
      await db
        .updateTable('acme_orders')
        .set({ authorizations: null })
        .where('id', '=', id)
        .execute()
    },
    prune: (endedBefore, limit) => prune(db, { endedBefore, limit }),
  }
}

async function prune(
  db: Store['db'],
  { endedBefore, limit }: { readonly endedBefore: Date; readonly limit: number },
): Promise<number> {
  const old = db
    .selectFrom('acme_orders')
    .select('id')
    .where('state', 'in', ENDED)
    .where('updated_at', '<', endedBefore.getTime())
    .where(({ or, eb, exists, selectFrom }) => {
      const later = selectFrom('acme_orders as later')
        .select('later.id')
        .whereRef('later.hostname', '=', 'acme_orders.hostname')
        .whereRef('later.account_id', '=', 'acme_orders.account_id')
        .where('later.state', '=', 'issued')
        .whereRef('later.created_at', '>', 'acme_orders.created_at')
      return or([eb('state', '=', 'failed'), exists(later)])
    })
    .limit(limit)
  const pruned = await db.deleteFrom('acme_orders').where('id', 'in', old).executeTakeFirst()
  return Number(pruned.numDeletedRows)
}

function toIntended(draft: OrderDraft): AcmeOrderRow {
  return {
    id: draft.id,
    account_id: draft.accountId,
    hostname: draft.hostname,
    state: 'intended',
    url: null,
    sealed_key: draft.sealedKey,
    certificate_id: null,
    problem: null,
    authorizations: null,
    created_at: draft.createdAt.getTime(),
    updated_at: draft.createdAt.getTime(),
  }
}

function toRecord(row: AcmeOrderRow): OrderRecord {
  return {
    id: row.id,
    accountId: row.account_id,
    hostname: row.hostname,
    state: toState(row.state),
    url: row.url ?? undefined,
    sealedKey: row.sealed_key,
    certificateId: row.certificate_id ?? undefined,
    problem: row.problem ?? undefined,
    authorizations: toUrls(row.authorizations),
    createdAt: new Date(row.created_at),
  }
}

/** Written by us alone; a row that was damaged costs its authorizations, not the host. */
function toUrls(text: string | null): readonly string[] {
  const parsed = urlsSchema.safeParse(text)
  return parsed.success ? parsed.data : []
}

const urlsSchema = z
  .string()
  .transform((text, context): unknown => {
    try {
      return JSON.parse(text)
    } catch {
      context.addIssue({ code: 'custom', message: 'not JSON' })
      return z.NEVER
    }
  })
  .pipe(z.array(z.url()))

/** The table checks it, too. */
function toState(text: string): OrderState {
  switch (text) {
    case 'intended':
    case 'placed':
    case 'issued':
      return text
    default:
      return 'failed'
  }
}
