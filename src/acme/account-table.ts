import type { AcmeAccountRow, Store } from '../store/index.ts'
import { type SealedBytes, toSealedBytes } from '../vault/index.ts'

/** An account at a CA as it is stored: the key first, the CA's URL for it once there is one. */
export interface AccountRecord {
  readonly id: string
  readonly directoryUrl: string
  readonly sealedKey: SealedBytes
  readonly url: string | undefined
  readonly createdAt: Date
}

export interface AccountTable {
  find(directoryUrl: string): Promise<AccountRecord | undefined>
  /** Keeps `draft` unless the CA has an account already, and tells which it is now. */
  findOrAdd(draft: Omit<AccountRecord, 'url'>): Promise<AccountRecord>
  /** `undefined`: the CA has forgotten it. */
  setUrl(id: string, url: string | undefined): Promise<void>
  all(): Promise<readonly AccountRecord[]>
}

export function createAccountTable({ db }: Pick<Store, 'db'>): AccountTable {
  const find: AccountTable['find'] = async (directoryUrl) => {
    const query = db.selectFrom('acme_accounts').selectAll()
    const row = await query.where('directory_url', '=', directoryUrl).executeTakeFirst()
    return row && toRecord(row)
  }
  return {
    find,
    findOrAdd: async (draft) => {
      // Unique by directory: of two nodes that register at once, one key stays.
      await db
        .insertInto('acme_accounts')
        .values({
          id: draft.id,
          directory_url: draft.directoryUrl,
          sealed_key: draft.sealedKey,
          url: null,
          created_at: draft.createdAt.getTime(),
        })
        .onConflict((conflict) => conflict.column('directory_url').doNothing())
        .execute()
      return (await find(draft.directoryUrl)) ?? { ...draft, url: undefined }
    },
    setUrl: async (id, url) => {
      const update = db.updateTable('acme_accounts').set({ url: url ?? null })
      await update.where('id', '=', id).execute()
    },
    all: async () => {
      const query = db.selectFrom('acme_accounts').selectAll().orderBy('created_at')
      return (await query.execute()).map(toRecord)
    },
  }
}

function toRecord(row: AcmeAccountRow): AccountRecord {
  return {
    id: row.id,
    directoryUrl: row.directory_url,
    sealedKey: toSealedBytes(row.sealed_key),
    url: row.url ?? undefined,
    createdAt: new Date(row.created_at),
  }
}
