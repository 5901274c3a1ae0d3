import { after, days } from '../kernel/index.ts'
import type { Store } from '../store/index.ts'
import { type Certificate, CUSTOMER } from './certificate.ts'
import { CERTIFICATE_COLUMNS, rowToCertificate } from './certificate-row.ts'

/** A customer's own certificate that ends, and how it is to be told. */
export interface ExpiringOwn {
  readonly certificate: Certificate
  /** Which of `WARNING_DAYS` it is this time. */
  readonly days: number
}

/** So many days before the end of a customer's own certificate its owner is warned. */
const WARNING_DAYS = [30, 14, 7, 3, 1] as const

/**
 * Which warning is due: the nearest one that has been reached, unless it was given. After an outage
 * the ones in between are left out.
 */
export function warningDue(
  notAfter: Date,
  now: Date,
  warnedDays: number | undefined,
): number | undefined {
  const reached = WARNING_DAYS.findLast((daysLeft) => notAfter <= after(now, days(daysLeft)))
  if (reached === undefined || notAfter <= now) return undefined
  return warnedDays === undefined || warnedDays > reached ? reached : undefined
}

export async function expiringOwn(
  { limit }: { readonly limit: number },
  now: Date,
  db: Store['db'],
): Promise<readonly ExpiringOwn[]> {
  const rows = await db
    .selectFrom('certificates')
    .select([...CERTIFICATE_COLUMNS, 'warned_days'])
    .where('is_current', '=', 1)
    .where('source', '=', CUSTOMER)
    .where('not_after', '>', now.getTime())
    .where(({ and, eb, or }) =>
      or(
        WARNING_DAYS.map((daysLeft) =>
          and([
            eb('not_after', '<=', after(now, days(daysLeft)).getTime()),
            or([eb('warned_days', 'is', null), eb('warned_days', '>', daysLeft)]),
          ]),
        ),
      ),
    )
    .orderBy('not_after')
    .limit(limit)
    .execute()
  return rows.flatMap((row) => {
    const certificate = rowToCertificate(row)
    const due = warningDue(certificate.notAfter, now, row.warned_days ?? undefined)
    return due === undefined ? [] : [{ certificate, days: due }]
  })
}

export async function markWarned(id: string, warned: number, db: Store['db']): Promise<void> {
  await db.updateTable('certificates').set({ warned_days: warned }).where('id', '=', id).execute()
}
