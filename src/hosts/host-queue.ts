import { type Clock, URGENCIES, type Urgency, urgencyRank } from '../kernel/index.ts'
import type { Store } from '../store/index.ts'
import type { Database } from './database.ts'
import { fairRank } from './fair-rank.ts'
import type { HistoryWriter } from './host-history.ts'
import {
  type ClaimedHost,
  type DueClaim,
  type HostSaving,
  isFree,
  lease,
  writeHost,
} from './host-leases.ts'
import type { Host } from './host-life.ts'

/**
 * Hosts that are ready for a CA whose budget has no room: the most urgent first, and among those
 * the accounts in turn.
 */
export interface HostQueue {
  /**
   * Writes a host that has moved to the queue, and gives it its place. One that is there keeps it,
   * unless its turn had come in vain: then those behind it come first, for whom there may be room.
   * False, and nothing written, when the lease was lost.
   */
  enqueue(claimed: ClaimedHost, host: Host, saving: HostSaving): Promise<boolean>
  /** How many there are before the place that `enqueue` gives a host: at most `AHEAD_MAX`. */
  countAhead(host: Host, via?: ClaimedHost['via']): Promise<number>
  /** Leases the first of those that wait with this urgency. They stay until they have moved on. */
  claimQueued(claim: QueueClaim): Promise<readonly ClaimedHost[]>
  hasQueued(urgency: Urgency): Promise<boolean>
  countQueued(): Promise<Readonly<Record<Urgency, number>>>
}

export interface QueueClaim extends DueClaim {
  readonly urgency: Urgency
}

/** Counting more would take longer than it is worth to whoever reads it. */
export const AHEAD_MAX = 1000

interface HostQueueDeps {
  readonly store: Store
  readonly clock: Clock
  readonly toHistoryRow: HistoryWriter
}

export function createHostQueue({ store, clock, toHistoryRow }: HostQueueDeps): HostQueue {
  return {
    enqueue: (claimed, host, { history, ...saving }) => {
      const rows = history.map((draft) => toHistoryRow(host, draft))
      return store.transaction(async (trx) => {
        const rank = await rankOf(trx, host, claimed.via)
        const saved = { claimed, host, rows, ...saving }
        if (!(await writeHost(trx, saved, { queue_rank: rank.place }))) return false
        if (rank.isNew) await keepShare(trx, host, rank.place)
        return true
      })
    },
    countAhead: async (host, via) => {
      const { place } = await rankOf(store.db, host, via)
      let ahead = 0
      for (const urgency of URGENCIES) {
        if (urgencyRank(urgency) > urgencyRank(host.urgency) || ahead >= AHEAD_MAX) break
        const isOwn = urgency === host.urgency
        ahead += await countBelow(store.db, urgency, isOwn ? place : undefined)
      }
      return Math.min(ahead, AHEAD_MAX)
    },
    claimQueued: ({ urgency, limit, onUnreadable, ...claim }) =>
      store.transaction(async (trx) => {
        const now = clock.now()
        const first = await trx
          .selectFrom('hosts')
          .select('hostname')
          .where('priority', '=', urgencyRank(urgency))
          .where('queue_rank', 'is not', null)
          .where(isFree(now))
          .orderBy('queue_rank')
          .limit(limit)
          .$if(store.engine === 'postgres', (select) => select.forUpdate().skipLocked())
          .execute()
        const hostnames = first.map(({ hostname }) => hostname)
        return lease(trx, hostnames, { claim, now, via: 'queue', onUnreadable })
      }),
    hasQueued: async (urgency) => (await frontOf(store.db, urgency)) !== undefined,
    countQueued: () => countQueued(store.db),
  }
}

interface Rank {
  readonly place: number
  readonly isNew: boolean
}

/** The place of a host in the queue of its urgency: the one it has, or the next of its account. */
async function rankOf(
  db: Database,
  { hostname, account, urgency }: Host,
  via?: ClaimedHost['via'],
): Promise<Rank> {
  const priority = urgencyRank(urgency)
  const row = await db
    .selectFrom('hosts')
    .select('queue_rank')
    .where('hostname', '=', hostname)
    .where('priority', '=', priority)
    .executeTakeFirst()
  if (typeof row?.queue_rank === 'number' && via !== 'queue') {
    return { place: row.queue_rank, isNew: false }
  }
  const share = await db
    .selectFrom('fair_shares')
    .select('last_rank')
    .where('priority', '=', priority)
    .where('account', '=', account)
    .executeTakeFirst()
  const front = (await frontOf(db, urgency)) ?? (await lastOf(db, priority))
  return { place: fairRank({ front, last: share?.last_rank }), isNew: true }
}

async function frontOf(db: Database, urgency: Urgency): Promise<number | undefined> {
  const row = await db
    .selectFrom('hosts')
    .select('queue_rank')
    .where('priority', '=', urgencyRank(urgency))
    .where('queue_rank', 'is not', null)
    .orderBy('queue_rank')
    .limit(1)
    .executeTakeFirst()
  return row?.queue_rank ?? undefined
}

async function lastOf(db: Database, priority: number): Promise<number | undefined> {
  const { last } = await db
    .selectFrom('fair_shares')
    .select(({ fn }) => fn.max<number | null>('last_rank').as('last'))
    .where('priority', '=', priority)
    .executeTakeFirstOrThrow()
  return last ?? undefined
}

async function keepShare(
  db: Database,
  { account, urgency }: Host,
  last_rank: number,
): Promise<void> {
  await db
    .insertInto('fair_shares')
    .values({ priority: urgencyRank(urgency), account, last_rank })
    .onConflict((conflict) => conflict.columns(['priority', 'account']).doUpdateSet({ last_rank }))
    .execute()
}

async function countBelow(
  db: Database,
  urgency: Urgency,
  place: number | undefined,
): Promise<number> {
  const rows = await db
    .selectFrom('hosts')
    .select('queue_rank')
    .where('priority', '=', urgencyRank(urgency))
    .where('queue_rank', 'is not', null)
    .$if(place !== undefined, (select) => select.where('queue_rank', '<', place ?? 0))
    .orderBy('queue_rank')
    .limit(AHEAD_MAX)
    .execute()
  return rows.length
}

async function countQueued(db: Database): Promise<Readonly<Record<Urgency, number>>> {
  const rows = await db
    .selectFrom('hosts')
    .select(({ fn }) => ['priority', fn.countAll().as('count')])
    .where('queue_rank', 'is not', null)
    .groupBy('priority')
    .execute()
  const counts = { ...NOBODY }
  for (const { priority, count } of rows) {
    const urgency = URGENCIES[priority]
    if (urgency) counts[urgency] = Number(count)
  }
  return counts
}

const NOBODY: Record<Urgency, number> = {
  expiring: 0,
  'replace-now': 0,
  first: 0,
  renewal: 0,
  idle: 0,
}
