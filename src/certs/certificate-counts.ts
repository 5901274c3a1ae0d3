import { after, days } from '../kernel/index.ts'
import type { Store } from '../store/index.ts'

/** Certificates being served. By the time they have left, each counts once. */
export interface CertificateCounts {
  readonly expired: number
  readonly under7Days: number
  readonly under30Days: number
  readonly longer: number
  /** Revoked and not replaced yet. */
  readonly revoked: number
  readonly bySource: readonly SourceCount[]
}

export interface SourceCount {
  /** As `Certificate.source`. */
  readonly source: string
  readonly keyType: string
  readonly certificates: number
}

/** One pass over the table. */
export async function countCertificates(now: Date, db: Store['db']): Promise<CertificateCounts> {
  const [in7Days, in30Days] = [after(now, days(7)).getTime(), after(now, days(30)).getTime()]
  const groups = await db
    .selectFrom('certificates')
    .where('is_current', '=', 1)
    .groupBy(['source', 'key_type'])
    .orderBy('source')
    .orderBy('key_type')
    .select(({ fn }) => [
      'source',
      'key_type',
      fn.countAll<number>().as('all'),
      fn.countAll<number>().filterWhere('not_after', '<=', now.getTime()).as('expired'),
      fn.countAll<number>().filterWhere('not_after', '<=', in7Days).as('by7Days'),
      fn.countAll<number>().filterWhere('not_after', '<=', in30Days).as('by30Days'),
      fn.countAll<number>().filterWhere('revoked_at', 'is not', null).as('revoked'),
    ])
    .execute()
  const total = (of: 'all' | 'expired' | 'by7Days' | 'by30Days' | 'revoked'): number =>
    groups.reduce((sum, group) => sum + group[of], 0)
  return {
    expired: total('expired'),
    under7Days: total('by7Days') - total('expired'),
    under30Days: total('by30Days') - total('by7Days'),
    longer: total('all') - total('by30Days'),
    revoked: total('revoked'),
    bySource: groups.map(({ source, key_type: keyType, all: certificates }) => ({
      ...{ source, keyType, certificates },
    })),
  }
}
