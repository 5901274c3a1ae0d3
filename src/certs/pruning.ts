import { after, type Clock, type Duration, days, hours, milliseconds } from '../kernel/index.ts'
import type { Store } from '../store/index.ts'
import { CUSTOMER } from './certificate.ts'
import { NO_KEY } from './certificate-row.ts'

/** What became of what was of no use any more. */
export interface Pruned {
  /** Certificates that were removed. */
  readonly removed: number
  /** Uploads that were never put to use, whose keys were destroyed. */
  readonly orphaned: number
}

/** So long after its end, whoever asks about a certificate asks its CA, or Certificate Transparency. */
const KEPT_AFTER_END: Duration = days(90)
/** Of each host, for whoever looks what it had, however long ago. */
const KEPT_OF_A_HOST = 3
/** An upload is put to use in the same request. A server that was killed in between is up by then. */
const ORPHANED_AFTER: Duration = hours(1)
/** Read and written at once: others wait for it. */
const AT_ONCE = 500

/**
 * Removes certificates that ended long ago and have no key any more, but the latest few of each
 * host; and destroys the keys of uploads that nobody put to use. In small steps, until the signal.
 */
export async function prune(
  { store: { db }, clock }: { readonly store: Pick<Store, 'db'>; readonly clock: Clock },
  signal: AbortSignal,
): Promise<Pruned> {
  const now = clock.now()
  const orphaned = await destroyOrphans(db, now)
  const endedBefore = after(now, milliseconds(-KEPT_AFTER_END)).getTime()
  let removed = 0
  let last: Ended | undefined
  do {
    const batch = await readEnded(db, endedBefore, last)
    removed += await removeOldOnes(db, batch)
    last = batch.length === AT_ONCE ? batch.at(-1) : undefined
  } while (last && !signal.aborted)
  return { removed, orphaned }
}

interface Ended {
  readonly id: string
  readonly not_after: number
}

/** The next of those that ended, in the order of their ends. Kept ones among them are passed by. */
function readEnded(
  db: Store['db'],
  endedBefore: number,
  last: Ended | undefined,
): Promise<readonly Ended[]> {
  let query = db
    .selectFrom('certificates')
    .select(['id', 'not_after'])
    .where('is_current', '=', 0)
    .where('not_after', '<', endedBefore)
    .orderBy('not_after')
    .orderBy('id')
    .limit(AT_ONCE)
  if (last) {
    query = query.where(({ eb, refTuple, tuple }) =>
      eb(refTuple('not_after', 'id'), '>', tuple(last.not_after, last.id)),
    )
  }
  return query.execute()
}

async function removeOldOnes(db: Store['db'], batch: readonly Ended[]): Promise<number> {
  if (batch.length === 0) return 0
  const ids = batch.map(({ id }) => id)
  const { numDeletedRows } = await db
    .deleteFrom('certificates')
    .where('id', 'in', ids)
    .where('is_current', '=', 0)
    .where('sealed_key', '=', NO_KEY)
    .where(({ exists, selectFrom }) =>
      exists(
        selectFrom('certificates as later')
          .select('later.id')
          .whereRef('later.hostname', '=', 'certificates.hostname')
          .whereRef('later.created_at', '>', 'certificates.created_at')
          .offset(KEPT_OF_A_HOST - 1)
          .limit(1),
      ),
    )
    .executeTakeFirst()
  return Number(numDeletedRows)
}

/** A server was killed between keeping an upload and putting it to use, and nobody tried again. */
async function destroyOrphans(db: Store['db'], now: Date): Promise<number> {
  const { numUpdatedRows } = await db
    .updateTable('certificates')
    .set({ sealed_key: NO_KEY })
    .where('source', '=', CUSTOMER)
    .where('activated_at', 'is', null)
    .where('is_current', '=', 0)
    .where('sealed_key', '!=', NO_KEY)
    .where('created_at', '<', after(now, milliseconds(-ORPHANED_AFTER)).getTime())
    .executeTakeFirst()
  return Number(numUpdatedRows)
}
