import {
  after,
  type Clock,
  type Duration,
  type Hostname,
  milliseconds,
  minutes,
  type Random,
  URGENCIES,
  urgencyRank,
} from '../kernel/index.ts'
import type { Store } from '../store/index.ts'
import { isCurrent, isInLastQuarter } from './host-ends.ts'
import { rowToHostname } from './host-row.ts'
import { END_IS_NEAR } from './urgency.ts'

/** What has to be put right from time to time, many hosts at once. Each call does a bounded part. */
export interface HostUpkeep {
  /**
   * Makes the hosts whose certificate nears its end the most urgent ones, and takes them out of the
   * queue where they waited with others. Those that were put off after a failure come within the
   * hour. Returns how many; if there are any, `mayGoOn` is asked first.
   */
  promoteExpiring(promoting: Promoting): Promise<number>
  /**
   * Makes hosts due, within an hour, that wait for a time which only a wrong clock can have named.
   * At most 10,000 at a time; if there are any, `mayGoOn` is asked first.
   */
  clampFuture(latest: ClampLimits, mayGoOn: () => Promise<boolean>): Promise<number>
  /** Hosts whose owner's certificate ends before `before`, and for which a CA is to be asked then. */
  dueTakeOvers(before: Date, limit: number): Promise<readonly Hostname[]>
  /**
   * Removes entries older than `before`, except for the latest `HISTORY_KEPT` of each host; looks at
   * a batch from `cursor` on, and returns where the next begins: `undefined` at the end. If there are
   * any, `mayGoOn` is asked first.
   */
  pruneHistory(
    before: Date,
    cursor: string,
    mayGoOn: () => Promise<boolean>,
  ): Promise<string | undefined>
}

export interface Promoting {
  readonly mayGoOn: () => Promise<boolean>
  /** Nobody has visited those since, whose certificates are meant to end. */
  readonly dormantBefore?: Date | undefined
}

/** How far off the next attempt may be. */
export interface ClampLimits {
  readonly anyReason: Duration
  readonly ofCa: Duration
}

const HOSTS_AT_ONCE = 500
const ENTRIES_AT_ONCE = 500
/** Of each host, however old. */
const HISTORY_KEPT = 200
/** Those that a wrong clock put off together do not come back together. */
const CLAMP_SPREAD: Duration = minutes(60)
const CLAMP_BATCHES = 20
/** What was put off for a day or more has no day to lose. */
const PROMOTED_WITHIN = minutes(60)

interface HostUpkeepDeps {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
}

export function createHostUpkeep(deps: HostUpkeepDeps): HostUpkeep {
  return {
    promoteExpiring: (promoting) => promoteExpiring(deps, promoting),
    clampFuture: (latest, mayGoOn) => clampFuture(deps, latest, mayGoOn),
    dueTakeOvers: (before, limit) => dueTakeOvers(deps, before, limit),
    pruneHistory: (before, cursor, mayGoOn) => pruneHistory(deps, { before, cursor }, mayGoOn),
  }
}

/** The rule is `isEndNear`. */
async function promoteExpiring(
  { store, clock, random }: HostUpkeepDeps,
  { mayGoOn, dormantBefore }: Promoting,
): Promise<number> {
  const now = clock.now()
  const near = await store.db
    .selectFrom('certificates')
    .innerJoin('hosts', 'hosts.hostname', 'certificates.hostname')
    .select('hosts.hostname')
    .where(isCurrent)
    .where('certificates.not_after', '>', now.getTime())
    .where('certificates.not_after', '<', after(now, END_IS_NEAR).getTime())
    .where(isInLastQuarter(now))
    .where('hosts.priority', '>', urgencyRank('expiring'))
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
    .limit(HOSTS_AT_ONCE)
    .execute()
  if (near.length === 0 || !(await mayGoOn())) return 0
  const hostnames = near.map(({ hostname }) => hostname)
  return store.transaction(async (trx) => {
    const out = await trx
      .updateTable('hosts')
      .set({ queue_rank: null, queued_at: null, next_attempt_at: now.getTime() })
      .where('hostname', 'in', hostnames)
      .where('queue_rank', 'is not', null)
      .where('priority', '>', urgencyRank('expiring'))
      .executeTakeFirst()
    const soon = after(now, milliseconds(Math.round(PROMOTED_WITHIN * random.fraction())))
    await trx
      .updateTable('hosts')
      .set({ next_attempt_at: soon.getTime() })
      .where('hostname', 'in', hostnames)
      .where('next_attempt_at', '>', after(now, PROMOTED_WITHIN).getTime())
      // The time of a CA stays.
      .where((eb) => eb.or([eb('reason_code', 'is', null), eb('reason_code', 'not like', 'ca/%')]))
      .execute()
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
  latest: ClampLimits,
  mayGoOn: () => Promise<boolean>,
): Promise<number> {
  const now = clock.now()
  const dueBefore = Math.min(CLAMP_SPREAD, latest.anyReason)
  let clamped = 0
  for (let batch = 0; batch < CLAMP_BATCHES; batch += 1) {
    const hostnames = await farAway(store, now, latest)
    if (hostnames.length === 0 || (batch === 0 && !(await mayGoOn()))) break
    await store.transaction(async (trx) => {
      for (const hostname of hostnames) {
        const due = after(now, milliseconds(Math.round(dueBefore * random.fraction())))
        await trx
          .updateTable('hosts')
          .set({ next_attempt_at: due.getTime() })
          .where('hostname', '=', hostname)
          .execute()
      }
    })
    clamped += hostnames.length
  }
  return clamped
}

/** Each urgency by itself, and those that wait for DNS: only so each is a short look into an index. */
async function farAway(
  store: Store,
  now: Date,
  { anyReason, ofCa }: ClampLimits,
): Promise<readonly string[]> {
  const found: string[] = []
  for (const group of [...URGENCIES, undefined]) {
    const far = store.db
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
    const rows = await (group === undefined
      ? far.where('ready_at', 'is', null)
      : far.where('ready_at', 'is not', null).where('priority', '=', urgencyRank(group))
    )
      .limit(HOSTS_AT_ONCE - found.length)
      .execute()
    found.push(...rows.map(({ hostname }) => hostname))
    if (found.length >= HOSTS_AT_ONCE) break
  }
  return found
}

async function dueTakeOvers(
  { store }: HostUpkeepDeps,
  before: Date,
  limit: number,
): Promise<readonly Hostname[]> {
  const rows = await store.db
    .selectFrom('hosts')
    .innerJoin('certificates', 'certificates.hostname', 'hosts.hostname')
    .select('hosts.hostname')
    // Written out, so that the index of those who want it serves.
    .where((eb) => eb('hosts.take_over', '=', eb.lit(1)))
    .where(isCurrent)
    .where('certificates.not_after', '<', before.getTime())
    .where('hosts.certificate_from', '=', 'customer')
    .where('hosts.state', '!=', 'retired')
    .limit(limit)
    .execute()
  return rows.map(rowToHostname)
}

async function pruneHistory(
  { store }: HostUpkeepDeps,
  { before, cursor }: { readonly before: Date; readonly cursor: string },
  mayGoOn: () => Promise<boolean>,
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
  if (batch.length > 0 && !(await mayGoOn())) return cursor
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
