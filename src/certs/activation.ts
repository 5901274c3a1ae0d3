import type { Store } from '../store/index.ts'
import { NO_KEY } from './certificate-row.ts'
import { CertificateError } from './errors.ts'
import type { StoreTransaction } from './saving.ts'

// A certificate's life: saved (it waits) → put to use → superseded, or saved → discarded. The table
// of when keys are destroyed is in certs-store/README.md.

export async function activate(id: string, now: Date, trx: StoreTransaction): Promise<void> {
  const row = await trx
    .selectFrom('certificates')
    .select(['hostname', 'is_current', 'activated_at'])
    .where('id', '=', id)
    .where('sealed_key', '!=', NO_KEY)
    .executeTakeFirst()
  if (!row) throw notFound(id)
  // Activated twice: the predecessor must not be taken for one that was superseded long ago.
  if (row.is_current === 1) return
  await trx
    .updateTable('certificates')
    .set({ sealed_key: NO_KEY, ask_at: null })
    .where('hostname', '=', row.hostname)
    .where('id', '!=', id)
    .where('sealed_key', '!=', NO_KEY)
    // Nobody goes back to a revoked one.
    .where(({ eb, or }) => or([eb('is_current', '=', 0), eb('revoked_at', 'is not', null)]))
    .execute()
  // First the old one: there is never more than one, a unique index sees to that.
  await trx
    .updateTable('certificates')
    .set({ is_current: 0, ask_at: null })
    .where('hostname', '=', row.hostname)
    .where('is_current', '=', 1)
    .where('id', '!=', id)
    .execute()
  await trx
    .updateTable('certificates')
    .set({ is_current: 1, activated_at: row.activated_at ?? now.getTime() })
    .where('id', '=', id)
    .execute()
}

export async function discard(id: string, db: Store['db']): Promise<void> {
  await db
    .updateTable('certificates')
    .set({ sealed_key: NO_KEY, ask_at: null })
    .where('id', '=', id)
    .where('is_current', '=', 0)
    .execute()
  const row = await db
    .selectFrom('certificates')
    .select('is_current')
    .where('id', '=', id)
    .executeTakeFirst()
  if (row?.is_current === 1) {
    throw new CertificateError('certs/in-use', `Certificate ${id} is the one its host is served.`, {
      fix: 'Put another one to use first, or remove the host.',
    })
  }
}

/** Its CA has nothing more to suggest. Marked twice, the first time stays. */
export async function markRevoked(id: string, now: Date, db: Store['db']): Promise<void> {
  const { numUpdatedRows } = await db
    .updateTable('certificates')
    .set(({ fn, ref, val }) => ({
      revoked_at: fn.coalesce(ref('revoked_at'), val(now.getTime())),
      ask_at: null,
    }))
    .where('id', '=', id)
    .executeTakeFirst()
  if (numUpdatedRows === 0n) throw notFound(id)
}

export function notFound(id: string): CertificateError {
  return new CertificateError('certs/not-found', `There is no certificate ${id} with a key.`)
}
