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
  readonly createdAt: Date
}

export interface OrderTable {
  /** The latest of a host. At most one per host is open, and that is always the latest. */
  latest(hostname: string): Promise<OrderRecord | undefined>
  /** `false`: somebody else has one open for this host. */
  intend(draft: OrderDraft): Promise<boolean>
  /** Moves an open order on. `false`: it is not open any more, or is placed elsewhere already. */
  place(id: string, url: string): Promise<boolean>
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
}

export interface OrderDraft
  extends Pick<OrderRecord, 'id' | 'accountId' | 'hostname' | 'createdAt'> {
  readonly sealedKey: SealedBytes
}

const OPEN = ['intended', 'placed']
/** What remains where a key was. */
const NOTHING = Buffer.alloc(0)
/** Engines bound the parameters of a statement: SQLite at 32,766, PostgreSQL at 65,535. */
const URLS_PER_QUERY_MAX = 1_000

export function createOrderTable({
  store: { db },
  now,
}: {
  readonly store: Pick<Store, 'db'>
  readonly now: () => Date
}): OrderTable {
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
    intend: async (draft) => {
      try {
        await db.insertInto('acme_orders').values(toIntended(draft)).execute()
        return true
      } catch (error) {
        if (isUniqueViolation(error)) return false
        throw error
      }
    },
    place: async (id, url) => {
      const placing = update(id, { state: 'placed', url }).where('url', 'is', null)
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
  }
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
    createdAt: new Date(row.created_at),
  }
}

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
