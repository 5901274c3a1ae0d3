import { after, minutes } from '../kernel/index.ts'
import type { AcmeAuthorityRow, Schema, Store, Transaction } from '../store/index.ts'

/** What is wrong with a CA as a whole; the same for all nodes, and after a restart. */
export interface AuthorityTrouble {
  /** Since when it has been away; `undefined`: it is there, and told us to wait. */
  readonly downSince: Date | undefined
  /** Not to be asked before. */
  readonly heldUntil: Date
  /** Of the AcmeError that said so. */
  readonly code: string
  readonly sentence: string
}

export interface AuthorityTable {
  /** `undefined`: nothing is wrong. */
  find(ca: string): Promise<AuthorityTrouble | undefined>
  /**
   * Adds to what is known: the earlier beginning and the later end count, unless what is known is so
   * long past that this is a trouble of its own.
   */
  worsen(ca: string, trouble: AuthorityTrouble): Promise<AuthorityTrouble>
  /** Postpones the end from `from`; `false`: somebody else did, or it is well again. */
  postpone(ca: string, from: Date, until: Date): Promise<boolean>
  /** Nothing is wrong any more, unless it was told since to wait for longer than `heldUntil`. */
  clear(ca: string, heldUntil: Date): Promise<void>
}

/**
 * Of a CA that is away somebody finds out so each minute, as long as anybody needs it. When nobody has
 * for so long, we do not know that it was away all the time.
 */
const TROUBLE_LASTS = minutes(15)

export function createAuthorityTable({
  store,
  now,
}: {
  readonly store: Pick<Store, 'db' | 'transaction'>
  readonly now: () => Date
}): AuthorityTable {
  const { db } = store
  const find = async (
    ca: string,
    within: Pick<Transaction<Schema>, 'selectFrom'> = db,
  ): Promise<AuthorityTrouble | undefined> => {
    const query = within.selectFrom('acme_authorities').selectAll().where('ca', '=', ca)
    const row = await query.executeTakeFirst()
    return row && toTrouble(row)
  }
  return {
    find: (ca) => find(ca),
    worsen: (ca, trouble) =>
      store.transaction(async (trx) => {
        const known = await find(ca, trx)
        const goesOn = known && after(known.heldUntil, TROUBLE_LASTS) > now()
        const merged = goesOn ? mergeTroubles(known, trouble) : trouble
        const row = { ...toRow(ca, merged), updated_at: now().getTime() }
        await trx
          .insertInto('acme_authorities')
          .values(row)
          .onConflict((conflict) => conflict.column('ca').doUpdateSet(row))
          .execute()
        return merged
      }),
    postpone: async (ca, from, until) => {
      const update = db
        .updateTable('acme_authorities')
        .set({ held_until: until.getTime(), updated_at: now().getTime() })
        .where('ca', '=', ca)
        .where('held_until', '=', from.getTime())
      return (await update.executeTakeFirst()).numUpdatedRows > 0
    },
    clear: async (ca, heldUntil) => {
      await db
        .deleteFrom('acme_authorities')
        .where('ca', '=', ca)
        .where('held_until', '<=', heldUntil.getTime())
        .execute()
    },
  }
}

function mergeTroubles(known: AuthorityTrouble, news: AuthorityTrouble): AuthorityTrouble {
  return {
    ...news,
    downSince: known.downSince ?? news.downSince,
    heldUntil: known.heldUntil > news.heldUntil ? known.heldUntil : news.heldUntil,
  }
}

function toRow(ca: string, trouble: AuthorityTrouble): Omit<AcmeAuthorityRow, 'updated_at'> {
  const { downSince, heldUntil, code, sentence } = trouble
  return {
    ...{ ca, code, sentence },
    down_since: downSince?.getTime() ?? null,
    held_until: heldUntil.getTime(),
  }
}

function toTrouble(row: AcmeAuthorityRow): AuthorityTrouble {
  return {
    downSince: row.down_since === null ? undefined : new Date(row.down_since),
    heldUntil: new Date(row.held_until ?? row.updated_at),
    code: row.code ?? 'acme/unavailable',
    sentence: row.sentence ?? '',
  }
}
