import type { Clock } from '../kernel/index.ts'
import type { AccountRow, Store } from '../store/index.ts'
import { AccountsError } from './errors.ts'

/** A tenant. Hosts, events and a webhook belong to one. */
export interface Account {
  /** Chosen by whoever made it; never changes. */
  readonly id: string
  readonly name: string
  readonly createdAt: Date
}

export interface Accounts {
  /** Makes it if it is not there, by any number of callers at once. Throws 'accounts/bad-id'. */
  ensure(id: string): Promise<Account>
  find(id: string): Promise<Account | undefined>
  /** By id. */
  page(request: AccountsPageRequest): Promise<AccountPage>
}

export interface AccountsPageRequest {
  readonly limit: number
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined
}

export interface AccountPage {
  readonly items: readonly Account[]
  /** Where the next page starts; absent on the last. */
  readonly nextCursor: string | undefined
}

/** The operator's own: there from the first start, and meant where none is named. */
export const DEFAULT_ACCOUNT = 'default'

/** A page is held in memory. */
const PAGE_ITEMS_MAX = 1000
/** Small letters only, so that no two accounts look alike; fit for a path and a file name. */
const ACCOUNT_ID = /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/

export function createAccounts({
  store: { db },
  clock,
}: {
  readonly store: Pick<Store, 'db'>
  readonly clock: Clock
}): Accounts {
  const find = async (id: string): Promise<Account | undefined> => {
    const row = await db.selectFrom('accounts').selectAll().where('id', '=', id).executeTakeFirst()
    return row && rowToAccount(row)
  }
  return {
    find,
    ensure: async (id) => {
      if (!isAccountId(id)) throw badId()
      const found = await find(id)
      if (found) return found
      const account: Account = { id, name: id, createdAt: clock.now() }
      await db
        .insertInto('accounts')
        .values({ id, name: id, created_at: account.createdAt.getTime() })
        .onConflict((conflict) => conflict.column('id').doNothing())
        .execute()
      return (await find(id)) ?? account
    },
    page: async ({ limit, cursor }) => {
      const size = Math.max(1, Math.min(limit, PAGE_ITEMS_MAX))
      let query = db
        .selectFrom('accounts')
        .selectAll()
        .orderBy('id')
        .limit(size + 1)
      if (cursor !== undefined) query = query.where('id', '>', cursor)
      const rows = await query.execute()
      const items = rows.slice(0, size).map(rowToAccount)
      return { items, nextCursor: rows.length > size ? items.at(-1)?.id : undefined }
    },
  }
}

/** Is this how an account may be called: 1–64 of a–z, 0–9, dot, hyphen and underscore? */
function isAccountId(text: string): boolean {
  return ACCOUNT_ID.test(text)
}

function badId(): AccountsError {
  return new AccountsError('accounts/bad-id', 'No account can be called like that.', {
    fix: 'Use 1–64 of a–z, 0–9, dot, hyphen and underscore, with a letter or digit at both ends.',
  })
}

function rowToAccount({ id, name, created_at }: AccountRow): Account {
  return { id, name, createdAt: new Date(created_at) }
}
