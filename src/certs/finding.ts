import type { Hostname } from '../kernel/index.ts'
import type { Store } from '../store/index.ts'
import { type Certificate, CUSTOMER } from './certificate.ts'
import { CERTIFICATE_COLUMNS, NO_KEY, rowToCertificate } from './certificate-row.ts'

export async function findOne(id: string, db: Store['db']): Promise<Certificate | undefined> {
  const row = await db
    .selectFrom('certificates')
    .select(CERTIFICATE_COLUMNS)
    .where('id', '=', id)
    .executeTakeFirst()
  return row && rowToCertificate(row)
}

export async function findCurrent(
  hostname: Hostname,
  db: Store['db'],
): Promise<Certificate | undefined> {
  const row = await db
    .selectFrom('certificates')
    .select(CERTIFICATE_COLUMNS)
    .where('hostname', '=', hostname)
    .where('is_current', '=', 1)
    .executeTakeFirst()
  return row && rowToCertificate(row)
}

/** Whose certificates: issued by a CA, or brought by the customer. */
export type WaitingSource = 'acme' | 'customer'

/** An activation destroys the keys of all that wait: what is found is newer than what is served. */
export async function findWaiting(
  { hostname, from }: { readonly hostname: Hostname; readonly from: WaitingSource },
  now: Date,
  db: Store['db'],
): Promise<Certificate | undefined> {
  const row = await db
    .selectFrom('certificates')
    .select(CERTIFICATE_COLUMNS)
    .where('hostname', '=', hostname)
    .where('activated_at', 'is', null)
    .where('source', from === 'customer' ? '=' : '!=', CUSTOMER)
    .where('revoked_at', 'is', null)
    .where('not_after', '>', now.getTime())
    .where('sealed_key', '!=', NO_KEY)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row && rowToCertificate(row)
}
