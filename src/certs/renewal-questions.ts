import { after, type Clock, type Duration, hours } from '../kernel/index.ts'
import type { Store } from '../store/index.ts'
import { type Certificate, CUSTOMER } from './certificate.ts'
import { CERTIFICATE_COLUMNS, NO_KEY, rowToCertificate } from './certificate-row.ts'

/** When a certificate is to be renewed, and what its CA said to that. */
export type CertificatePlan = Pick<
  Certificate,
  'renewAt' | 'renewBecause' | 'window' | 'explanationUrl' | 'askAt'
>

export async function planCertificate(
  id: string,
  { renewAt, renewBecause, window, explanationUrl, askAt }: CertificatePlan,
  db: Store['db'],
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('certificates')
    .set({
      renew_at: renewAt.getTime(),
      renew_because: renewBecause,
      window_start: window?.start.getTime() ?? null,
      window_end: window?.end.getTime() ?? null,
      window_url: explanationUrl ?? null,
      ask_at: askAt?.getTime() ?? null,
    })
    .where('id', '=', id)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

export async function claimQuestions(
  { limit, leaseFor }: { readonly limit: number; readonly leaseFor: Duration },
  {
    store,
    clock,
  }: {
    readonly store: Pick<Store, 'db' | 'transaction' | 'engine'>
    readonly clock: Clock
  },
): Promise<readonly Certificate[]> {
  const now = clock.now()
  // Mostly there is none, which is found out without the writers' lock.
  const due = await store.db
    .selectFrom('certificates')
    .select('id')
    .where('ask_at', '<=', now.getTime())
    .limit(1)
    .execute()
  if (due.length === 0) return []
  return store.transaction(async (trx) => {
    const asked = await trx
      .selectFrom('certificates')
      .select('id')
      .where('ask_at', '<=', now.getTime())
      .orderBy('ask_at')
      .limit(limit)
      .$if(store.engine === 'postgres', (select) => select.forUpdate().skipLocked())
      .execute()
    if (asked.length === 0) return []
    const ids = asked.map(({ id }) => id)
    // A retired host, or one whose certificate ended before it could be renewed: nobody asks again.
    await trx
      .updateTable('certificates')
      .set({ ask_at: null })
      .where('id', 'in', ids)
      .where(({ eb, or }) =>
        or([eb('not_after', '<=', now.getTime()), eb('sealed_key', '=', NO_KEY)]),
      )
      .execute()
    const rows = await trx
      .updateTable('certificates')
      .set({ ask_at: after(now, leaseFor).getTime() })
      .where('id', 'in', ids)
      .where('ask_at', 'is not', null)
      .returning(CERTIFICATE_COLUMNS)
      .execute()
    return rows.map(rowToCertificate)
  })
}

/** Certificates of about the same lifetime that are to be renewed within the same hour. */
export interface RenewalHour {
  readonly hourStart: Date
  readonly certificates: number
  /** To the hour. */
  readonly lifetimeMs: number
}

const HOUR = hours(1)

/** Of those in use that we renew: the customers' own are theirs to renew. */
export async function renewalsByHour(
  { from, until }: { readonly from: Date; readonly until: Date },
  db: Store['db'],
): Promise<readonly RenewalHour[]> {
  const rows = await db
    .selectFrom(
      db
        .selectFrom('certificates')
        .where('is_current', '=', 1)
        .where('source', '!=', CUSTOMER)
        .where('renew_at', '>=', from.getTime())
        .where('renew_at', '<', until.getTime())
        .select(({ eb, ref }) => {
          // Half an hour more, so that the second CAs leave off at the end does not count.
          const life = eb.parens(
            eb(eb.parens(eb('not_after', '-', ref('not_before'))), '+', HOUR / 2),
          )
          return [
            eb('renew_at', '-', eb('renew_at', '%', HOUR)).as('hour'),
            eb(life, '-', eb(life, '%', HOUR)).as('life'),
          ]
        })
        .as('planned'),
    )
    .select(({ fn }) => ['hour', 'life', fn.countAll<number>().as('certificates')])
    .groupBy(['hour', 'life'])
    .orderBy('hour')
    .orderBy('life')
    .execute()
  return rows.map(({ hour, life, certificates }) => ({
    hourStart: new Date(hour),
    certificates,
    lifetimeMs: life,
  }))
}
