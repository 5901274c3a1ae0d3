import {
  after,
  type Clock,
  type Duration,
  days,
  type Hostname,
  seconds,
  URGENCIES,
  urgencyRank,
} from '../kernel/index.ts'
import type { ExpressionBuilder, Schema, Store } from '../store/index.ts'
import type { HistoryDraft, HistoryWriter } from './host-history.ts'
import { rowToHostname } from './host-row.ts'
import { END_IS_NEAR } from './urgency.ts'

/** What has to be put right from time to time, many hosts at once. Each call does a bounded part. */
export interface HostUpkeep {
  /**
   * Makes the hosts whose certificate nears its end the most urgent ones, and takes them out of the
   * queue where they waited with others. Returns how many.
   */
  promoteExpiring(): Promise<number>
  /** Makes hosts due that wait for a time which only a wrong clock can have named. */
  clampFuture(latest: { readonly anyReason: Duration; readonly ofCa: Duration }): Promise<number>
  /** Has accounts told, once per certificate, of those that end soon and cannot be renewed. */
  tellExpiring(toDraft: (notAfter: Date) => HistoryDraft): Promise<number>
  /** Hosts whose owner's certificate ends before `before`, and for which a CA is to be asked then. */
  dueTakeOvers(before: Date, limit: number): Promise<readonly Hostname[]>
  /**
   * Removes entries older than `before`, except for the latest `HISTORY_KEPT` of each host; looks at
   * a batch from `cursor` on, and returns where the next begins: `undefined` at the end.
   */
  pruneHistory(before: Date, cursor: string): Promise<string | undefined>
}

const HOSTS_AT_ONCE = 500
const ENTRIES_AT_ONCE = 500
/** Of each host, however old. */
const HISTORY_KEPT = 200
/** An ACME certificate that is not replaced by then has been failing for weeks. */
const ENDS_SOON = days(7)
/** Those that a wrong clock put off together do not come back together: so long for each batch. */
const CLAMP_PACE = seconds(2)

interface HostUpkeepDeps {
  readonly store: Store
  readonly clock: Clock
  readonly toHistoryRow: HistoryWriter
}

export function createHostUpkeep(deps: HostUpkeepDeps): HostUpkeep {
  return {
    promoteExpiring: () => promoteExpiring(deps),
    clampFuture: (latest) => clampFuture(deps, latest),
    tellExpiring: (toDraft) => tellExpiring(deps, toDraft),
    dueTakeOvers: (before, limit) => dueTakeOvers(deps, before, limit),
    pruneHistory: (before, cursor) => pruneHistory(deps, before, cursor),
  }
}

/** What is left is less than a quarter: 4 (end - now) < end - start. */
function isInLastQuarter(now: Date) {
  return ({ eb, ref }: ExpressionBuilder<Schema, 'certificates'>) =>
    eb(
      eb(eb('certificates.not_after', '*', 3), '+', ref('certificates.not_before')),
      '<',
      4 * now.getTime(),
    )
}

/** The rule is `isEndNear`. */
async function promoteExpiring({ store, clock }: HostUpkeepDeps): Promise<number> {
  const now = clock.now()
  const near = await store.db
    .selectFrom('certificates')
    .innerJoin('hosts', 'hosts.hostname', 'certificates.hostname')
    .select('hosts.hostname')
    .where('certificates.is_current', '=', 1)
    .where('certificates.not_after', '>', now.getTime())
    .where('certificates.not_after', '<', after(now, END_IS_NEAR).getTime())
    .where(isInLastQuarter(now))
    .where('hosts.priority', '>', urgencyRank('expiring'))
    .where('hosts.state', '!=', 'retired')
    .where('hosts.left_at', 'is', null)
    .where('hosts.certificate_from', '=', 'acme')
    .limit(HOSTS_AT_ONCE)
    .execute()
  if (near.length === 0) return 0
  const hostnames = near.map(({ hostname }) => hostname)
  return store.transaction(async (trx) => {
    const out = await trx
      .updateTable('hosts')
      .set({ queue_rank: null, queued_at: null, next_attempt_at: now.getTime() })
      .where('hostname', 'in', hostnames)
      .where('queue_rank', 'is not', null)
      .where('priority', '>', urgencyRank('expiring'))
      .executeTakeFirst()
    const { numUpdatedRows } = await trx
      .updateTable('hosts')
      .set({ priority: urgencyRank('expiring') })
      .where('hostname', 'in', hostnames)
      .where('priority', '>', urgencyRank('expiring'))
      .executeTakeFirst()
    return Math.max(Number(numUpdatedRows), Number(out.numUpdatedRows))
  })
}

async function clampFuture(
  { store, clock }: HostUpkeepDeps,
  { anyReason, ofCa }: { readonly anyReason: Duration; readonly ofCa: Duration },
): Promise<number> {
  const now = clock.now()
  let clamped = 0
  for (let dueMs = now.getTime(); ; dueMs += CLAMP_PACE) {
    const far = await store.db
      .selectFrom('hosts')
      .select('hostname')
      .where('priority', 'in', URGENCIES.map(urgencyRank))
      .where('next_attempt_at', '>', after(now, anyReason).getTime())
      .where('queue_rank', 'is', null)
      .where((eb) =>
        eb.or([
          eb('next_attempt_at', '>', after(now, ofCa).getTime()),
          eb('reason_code', 'is', null),
          eb('reason_code', 'not like', 'ca/%'),
        ]),
      )
      .limit(HOSTS_AT_ONCE)
      .execute()
    if (far.length === 0) return clamped
    clamped += far.length
    const hostnames = far.map(({ hostname }) => hostname)
    await store.db
      .updateTable('hosts')
      .set({ next_attempt_at: Math.min(dueMs, after(now, anyReason).getTime()) })
      .where('hostname', 'in', hostnames)
      .execute()
  }
}

async function tellExpiring(
  { store, clock, toHistoryRow }: HostUpkeepDeps,
  toDraft: (notAfter: Date) => HistoryDraft,
): Promise<number> {
  const now = clock.now()
  const ending = await store.db
    .selectFrom('certificates')
    .innerJoin('hosts', 'hosts.hostname', 'certificates.hostname')
    .select(['certificates.id', 'certificates.not_after', 'hosts.hostname', 'hosts.account'])
    .where('certificates.is_current', '=', 1)
    .where('certificates.not_after', '>', now.getTime())
    .where('certificates.not_after', '<', after(now, ENDS_SOON).getTime())
    // A quarter of a life that lasts no longer than a week itself.
    .where(isInLastQuarter(now))
    .where('certificates.warned_days', 'is', null)
    .where('hosts.state', 'in', ['failing', 'paused'])
    .where('hosts.left_at', 'is', null)
    .where('hosts.certificate_from', '=', 'acme')
    .limit(HOSTS_AT_ONCE)
    .execute()
  let told = 0
  for (const { id, not_after, ...host } of ending) {
    const draft = { ...toDraft(new Date(not_after)), certificateId: id }
    told += await store.transaction(async (trx) => {
      const { numUpdatedRows } = await trx
        .updateTable('certificates')
        .set({ warned_days: ENDS_SOON / days(1) })
        .where('id', '=', id)
        .where('warned_days', 'is', null)
        .executeTakeFirst()
      if (numUpdatedRows === 0n) return 0
      await trx.insertInto('host_history').values(toHistoryRow(host, draft)).execute()
      return 1
    })
  }
  return told
}

async function dueTakeOvers(
  { store }: HostUpkeepDeps,
  before: Date,
  limit: number,
): Promise<readonly Hostname[]> {
  const rows = await store.db
    .selectFrom('certificates')
    .innerJoin('hosts', 'hosts.hostname', 'certificates.hostname')
    .select('hosts.hostname')
    .where('certificates.is_current', '=', 1)
    .where('certificates.not_after', '<', before.getTime())
    .where('hosts.certificate_from', '=', 'customer')
    .where('hosts.take_over', '=', 1)
    .where('hosts.state', '!=', 'retired')
    .limit(limit)
    .execute()
  return rows.map(rowToHostname)
}

async function pruneHistory(
  { store }: HostUpkeepDeps,
  before: Date,
  cursor: string,
): Promise<string | undefined> {
  // Ids begin with the time at which they were written.
  const end = before.getTime().toString(16).padStart(12, '0')
  const batch = await store.db
    .selectFrom('host_history')
    .select(['id', 'hostname'])
    .where('id', '>', cursor)
    .where('id', '<', end)
    .orderBy('id')
    .limit(ENTRIES_AT_ONCE)
    .execute()
  for (const hostname of new Set(batch.map((entry) => entry.hostname))) {
    const oldestKept = await store.db
      .selectFrom('host_history')
      .select('id')
      .where('hostname', '=', hostname)
      .orderBy('id', 'desc')
      .offset(HISTORY_KEPT - 1)
      .limit(1)
      .executeTakeFirst()
    if (!oldestKept) continue
    const old = batch.filter((entry) => entry.hostname === hostname && entry.id < oldestKept.id)
    if (old.length === 0) continue
    await store.db
      .deleteFrom('host_history')
      .where(
        'id',
        'in',
        old.map(({ id }) => id),
      )
      .execute()
  }
  return batch.length < ENTRIES_AT_ONCE ? undefined : batch.at(-1)?.id
}
