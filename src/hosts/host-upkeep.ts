import {
  after,
  type Clock,
  type Duration,
  days,
  milliseconds,
  minutes,
  type Random,
  urgencyRank,
} from '../kernel/index.ts'
import type { Store } from '../store/index.ts'
import type { HistoryDraft, HistoryWriter } from './host-history.ts'
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
/** Those that a wrong clock put off together do not come back together. */
const CLAMP_SPREAD = minutes(60)

interface HostUpkeepDeps {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly toHistoryRow: HistoryWriter
}

export function createHostUpkeep(deps: HostUpkeepDeps): HostUpkeep {
  return {
    promoteExpiring: () => promoteExpiring(deps),
    clampFuture: (latest) => clampFuture(deps, latest),
    tellExpiring: (toDraft) => tellExpiring(deps, toDraft),
    pruneHistory: (before, cursor) => pruneHistory(deps, before, cursor),
  }
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
    .where(({ eb, ref }) =>
      eb(
        eb(eb(ref('certificates.not_after'), '-', now.getTime()), '*', 4),
        '<',
        eb('certificates.not_after', '-', ref('certificates.not_before')),
      ),
    )
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
  { store, clock, random }: HostUpkeepDeps,
  { anyReason, ofCa }: { readonly anyReason: Duration; readonly ofCa: Duration },
): Promise<number> {
  const now = clock.now()
  const far = await store.db
    .selectFrom('hosts')
    .select('hostname')
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
  if (far.length === 0) return 0
  const due = after(now, milliseconds(Math.round(CLAMP_SPREAD * random.fraction())))
  await store.db
    .updateTable('hosts')
    .set({ next_attempt_at: due.getTime() })
    .where(
      'hostname',
      'in',
      far.map(({ hostname }) => hostname),
    )
    .execute()
  return far.length
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
    .where(({ eb, ref }) =>
      eb(
        eb(eb(ref('certificates.not_after'), '-', now.getTime()), '*', 4),
        '<',
        eb('certificates.not_after', '-', ref('certificates.not_before')),
      ),
    )
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
