import { after, type Clock, days, type Hostname, milliseconds } from '../kernel/index.ts'
import type { ExpressionBuilder, Schema, Store } from '../store/index.ts'
import type { HistoryDraft, HistoryWriter } from './host-history.ts'
import { type OnUnreadable, readRows, rowToHostname } from './host-row.ts'

/** Certificates that end without having been replaced, whatever their hosts wait for. */
export interface HostEnds {
  /**
   * Hosts that promise https or count as active, among those whose certificates end from `from` on
   * and before `before`. Looks at a batch.
   */
  ending(span: EndingSpan, onUnreadable: OnUnreadable): Promise<EndingBatch>
  /** Has accounts told, once per certificate, of those that end soon and should be gone long since. */
  tellExpiring(telling: EndTelling<ExpiringHost>): Promise<number>
  /**
   * Has accounts told, once per series of trouble, of renewals that are a day late. Looks at a batch
   * from `cursor` on, and returns where the next begins: `undefined` at the end.
   */
  tellOverdue(telling: EndTelling<OverdueHost>, cursor: Date): Promise<Date | undefined>
}

export interface EndingSpan {
  readonly from: Date
  readonly before: Date
  /** Of certificates that are looked at: names in one statement, both engines take a few thousand. */
  readonly limit: number
  /** Nobody has visited those since, whose certificates are meant to end. */
  readonly dormantBefore?: Date | undefined
}

export interface EndingBatch {
  readonly hosts: readonly EndingHost[]
  /** Where the next batch begins: `undefined` at the end. */
  readonly next: Date | undefined
}

export interface EndingHost {
  readonly hostname: Hostname
  readonly notBefore: Date
  readonly notAfter: Date
  readonly httpsSafe: boolean
  /** It is called active, and that is not because it is left alone. */
  readonly isActive: boolean
  readonly certificateFrom: string
  /** Of the host: one that was written later may have got another certificate. */
  readonly updatedAt: Date
}

export interface ExpiringHost {
  readonly notAfter: Date
  /** What the host waits for, as a sentence. */
  readonly why: string | undefined
}

export interface OverdueHost extends ExpiringHost {
  readonly renewAt: Date
}

export interface EndTelling<Host> {
  readonly toDraft: (host: Host) => HistoryDraft
  /** Asked once there is somebody to tell. */
  readonly mayGoOn: () => Promise<boolean>
  /** Nobody has visited those since, whose certificates are meant to end. */
  readonly dormantBefore?: Date | undefined
}

const HOSTS_AT_ONCE = 500
/** In the worst week of a CA half of a large fleet is late: so many are looked at in a minute. */
const OVERDUE_AT_ONCE = 2000
/** An ACME certificate that is not replaced by then should have been weeks ago. */
const ENDS_SOON = days(7)
/** Renewals wait for their turn, and for CAs, for hours; a day is somebody's trouble. */
const OVERDUE_AFTER = days(1)

interface HostEndsDeps {
  readonly store: Store
  readonly clock: Clock
  readonly toHistoryRow: HistoryWriter
}

export function createHostEnds(deps: HostEndsDeps): HostEnds {
  return {
    ending: (span, onUnreadable) => ending(deps.store, span, onUnreadable),
    tellExpiring: (telling) => tellExpiring(deps, telling),
    tellOverdue: (telling, cursor) => tellOverdue(deps, telling, cursor),
  }
}

async function ending(
  { db }: Store,
  { from, before, limit, dormantBefore }: EndingSpan,
  onUnreadable: OnUnreadable,
): Promise<EndingBatch> {
  const certificates = await db
    .selectFrom('certificates')
    .select(['hostname', 'not_before', 'not_after'])
    .where(isCurrent)
    .where('not_after', '>=', from.getTime())
    .where('not_after', '<', before.getTime())
    .orderBy('not_after')
    .limit(limit)
    .execute()
  const last = certificates.at(-1)
  if (!last) return { hosts: [], next: undefined }
  const lives = new Map(certificates.map((life) => [life.hostname, life]))
  const rows = await db
    .selectFrom('hosts')
    .select(['hostname', 'https_safe', 'updated_at', 'state', 'certificate_from'])
    .select(({ fn }) => fn.coalesce('visited_at', 'created_at').as('used_at'))
    .where('hostname', 'in', [...lives.keys()])
    .where(({ eb, or }) => or([eb('https_safe', '=', 1), eb('state', '=', 'active')]))
    .execute()
  const dormantMs = dormantBefore?.getTime() ?? Number.NEGATIVE_INFINITY
  const toEnding = (row: (typeof rows)[number]): EndingHost => ({
    hostname: rowToHostname(row),
    notBefore: new Date(lives.get(row.hostname)?.not_before ?? 0),
    notAfter: new Date(lives.get(row.hostname)?.not_after ?? 0),
    httpsSafe: row.https_safe === 1,
    isActive: row.state === 'active' && row.used_at > dormantMs,
    certificateFrom: row.certificate_from,
    updatedAt: new Date(row.updated_at),
  })
  const hosts = readRows(rows, toEnding, onUnreadable)
  // Several may end at the same moment: those are looked at again.
  const nextMs = Math.max(last.not_after, from.getTime() + 1)
  const next = certificates.length < limit ? undefined : new Date(nextMs)
  return { hosts: hosts.filter((host) => host.httpsSafe || host.isActive), next }
}

/** Written out, so that indices of the current ones serve. */
export function isCurrent({ eb }: ExpressionBuilder<Schema, 'certificates'>) {
  return eb('certificates.is_current', '=', eb.lit(1))
}

/** What is left is less than a quarter: 4 (end - now) < end - start. */
export function isInLastQuarter(now: Date) {
  return ({ eb, ref }: ExpressionBuilder<Schema, 'certificates'>) =>
    eb(
      eb(eb('certificates.not_after', '*', 3), '+', ref('certificates.not_before')),
      '<',
      4 * now.getTime(),
    )
}

/** Current certificates that a CA is to replace, of hosts that are visited. */
function toBeReplaced(store: Store, dormantBefore: Date | undefined) {
  return store.db
    .selectFrom('certificates')
    .innerJoin('hosts', 'hosts.hostname', 'certificates.hostname')
    .select(['certificates.id', 'certificates.not_after', 'certificates.renew_at'])
    .select(['hosts.hostname', 'hosts.account', 'hosts.reason_sentence', 'hosts.told'])
    .where(isCurrent)
    .where('hosts.state', '!=', 'retired')
    .where('hosts.left_at', 'is', null)
    .where('hosts.ceased_at', 'is', null)
    .where('hosts.certificate_from', '=', 'acme')
    .$if(dormantBefore !== undefined, (select) =>
      select.where(
        ({ fn }) => fn.coalesce('hosts.visited_at', 'hosts.created_at'),
        '>',
        dormantBefore?.getTime() ?? 0,
      ),
    )
}

async function tellExpiring(
  { store, clock, toHistoryRow }: HostEndsDeps,
  { toDraft, mayGoOn, dormantBefore }: EndTelling<ExpiringHost>,
): Promise<number> {
  const now = clock.now()
  const found = await toBeReplaced(store, dormantBefore)
    .where('certificates.not_after', '>', now.getTime())
    .where('certificates.not_after', '<', after(now, ENDS_SOON).getTime())
    .where('certificates.warned_days', 'is', null)
    // A quarter of a life that lasts no longer than a week itself.
    .where(isInLastQuarter(now))
    .where('certificates.renew_at', '<', overdueBefore(now))
    .limit(HOSTS_AT_ONCE)
    .execute()
  if (found.length === 0 || !(await mayGoOn())) return 0
  return store.transaction(async (trx) => {
    let told = 0
    for (const row of found) {
      const { numUpdatedRows } = await trx
        .updateTable('certificates')
        .set({ warned_days: ENDS_SOON / days(1) })
        .where('id', '=', row.id)
        .where('warned_days', 'is', null)
        .executeTakeFirst()
      if (numUpdatedRows === 0n) continue
      const draft = { ...toDraft(toExpiring(row)), certificateId: row.id }
      await trx.insertInto('host_history').values(toHistoryRow(row, draft)).execute()
      told += 1
    }
    return told
  })
}

async function tellOverdue(
  { store, clock, toHistoryRow }: HostEndsDeps,
  { toDraft, mayGoOn, dormantBefore }: EndTelling<OverdueHost>,
  cursor: Date,
): Promise<Date | undefined> {
  const now = clock.now()
  const found = await toBeReplaced(store, dormantBefore)
    .where('certificates.renew_at', '>=', cursor.getTime())
    .where('certificates.renew_at', '<', overdueBefore(now))
    .where('certificates.not_after', '>', now.getTime())
    .orderBy('certificates.renew_at')
    .limit(OVERDUE_AT_ONCE)
    .execute()
  const untold = found.filter(({ told }) => told === null)
  if (untold.length > 0 && !(await mayGoOn())) return cursor
  await store.transaction(async (trx) => {
    for (const row of untold) {
      const { numUpdatedRows } = await trx
        .updateTable('hosts')
        .set({ told: 'failing' })
        .where('hostname', '=', row.hostname)
        .where('told', 'is', null)
        .executeTakeFirst()
      if (numUpdatedRows === 0n) continue
      const host = { ...toExpiring(row), renewAt: new Date(row.renew_at) }
      const draft = { ...toDraft(host), certificateId: row.id }
      await trx.insertInto('host_history').values(toHistoryRow(row, draft)).execute()
    }
  })
  const last = found.at(-1)
  if (!last || found.length < OVERDUE_AT_ONCE) return undefined
  return new Date(Math.max(last.renew_at, cursor.getTime() + 1))
}

function overdueBefore(now: Date): number {
  return after(now, milliseconds(-OVERDUE_AFTER)).getTime()
}

function toExpiring(row: {
  readonly not_after: number
  readonly reason_sentence: string | null
}): ExpiringHost {
  return { notAfter: new Date(row.not_after), why: row.reason_sentence ?? undefined }
}
