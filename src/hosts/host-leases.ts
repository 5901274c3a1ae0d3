import {
  after,
  type Clock,
  type Duration,
  days,
  type Hostname,
  minutes,
  type Urgency,
  urgencyRank,
} from '../kernel/index.ts'
import type { ExpressionBuilder, HostHistoryRow, Schema, Store } from '../store/index.ts'
import type { Database } from './database.ts'
import { forgetToken } from './host-claims.ts'
import type { HistoryDraft, HistoryWriter } from './host-history.ts'
import type { Host } from './host-life.ts'
import { hostToColumns, type OnUnreadable, readRows, rowToHost } from './host-row.ts'

/**
 * Who works on which host. A lease ends by itself if its holder dies; a holder that was only slow
 * finds that its fence has moved on and cannot save: so each step may run twice, but only one of
 * the two is written.
 */
export interface HostLeases {
  /**
   * Leases hosts that are due and that nobody works on: the most urgent first, and of those the
   * longest due; those that wait for DNS after the first certificates. None that queue. A row that
   * cannot be read is told of and set aside for a day.
   */
  claimDue(claim: DueClaim): Promise<readonly ClaimedHost[]>
  /** Leases one host, due or not; `undefined` if it is retired or somebody works on it. */
  claim(hostname: Hostname, claim: LeaseClaim): Promise<ClaimedHost | undefined>
  /** Keeps leases; returns those that were lost. */
  renewLeases(claimed: readonly ClaimedHost[], leaseFor: Duration): Promise<readonly ClaimedHost[]>
  /** Does the lease still hold? A cheap look before something that others see. */
  isLeased(claimed: ClaimedHost): Promise<boolean>
  /** Gives a host back as it is. */
  release(claimed: ClaimedHost): Promise<void>
  /**
   * Writes a host and what happened, together. False, and nothing written, when the lease was lost.
   * If somebody made the host due in the meantime, it stays so.
   */
  save(claimed: ClaimedHost, host: Host, saving: HostSaving): Promise<boolean>
  /**
   * Breaks the leases of a server that died. Only SQLite, where the lock on the file proves that
   * there is no other server; on PostgreSQL leases run out by themselves.
   */
  recoverLeases(): Promise<void>
}

export interface LeaseClaim {
  readonly holder: string
  readonly leaseFor: Duration
}

export interface DueClaim extends LeaseClaim {
  readonly limit: number
  /** How many of them may be waiting for DNS: name servers that are dead take their time. */
  readonly looksMax?: number | undefined
  /** `waiting-for-dns`: only those. */
  readonly which?: 'all' | 'waiting-for-dns' | undefined
  readonly onUnreadable: OnUnreadable
}

/** A host as it was when it was leased, and the proof of the lease. */
export interface ClaimedHost {
  readonly host: Host
  readonly fence: number
  /** It was due; or somebody asked for it; or its turn in the queue had come. */
  readonly via: 'due' | 'asked' | 'queue'
}

export interface HostSaving {
  readonly history: readonly HistoryDraft[]
  readonly lease: 'keep' | 'release'
  /** The promise of https was made anew. Otherwise one that was ended meanwhile stays ended. */
  readonly https?: 'promised' | undefined
}

interface HostLeasesDeps {
  readonly store: Store
  readonly clock: Clock
  readonly toHistoryRow: HistoryWriter
}

export function createHostLeases({ store, clock, toHistoryRow }: HostLeasesDeps): HostLeases {
  return {
    claimDue: (claim) => claimDue({ store, clock }, claim),
    claim: (hostname, claim) => claimOne({ store, clock }, hostname, claim),
    renewLeases: (claimed, leaseFor) => renewLeases({ store, clock }, claimed, leaseFor),
    isLeased: async ({ host, fence }) => {
      const row = await store.db
        .selectFrom('hosts')
        .select('lease_holder')
        .where('hostname', '=', host.hostname)
        .where('lease_fence', '=', fence)
        .executeTakeFirst()
      return typeof row?.lease_holder === 'string'
    },
    release: async ({ host, fence }) => {
      await store.db
        .updateTable('hosts')
        .set(NO_LEASE)
        .where('hostname', '=', host.hostname)
        .where('lease_fence', '=', fence)
        .execute()
    },
    save: (claimed, host, { history, ...saving }) => {
      const rows = history.map((draft) => toHistoryRow(host, draft))
      return save(store, { claimed, host, rows, ...saving })
    },
    recoverLeases: async () => {
      if (store.engine !== 'sqlite') return
      await store.db
        .updateTable('hosts')
        .set((eb) => ({ ...NO_LEASE, lease_fence: eb('lease_fence', '+', 1) }))
        .where('lease_holder', 'is not', null)
        .execute()
    },
  }
}

interface LeaseDeps {
  readonly store: Store
  readonly clock: Clock
}

async function claimDue(
  { store, clock }: LeaseDeps,
  { limit, looksMax = limit, which = 'all', onUnreadable, ...claim }: DueClaim,
): Promise<readonly ClaimedHost[]> {
  const now = clock.now()
  // One by one, because only so each is a short look into an index.
  const groups = DUE_GROUPS.filter((group) => which === 'all' || group === 'waiting-for-dns')
  // Most of the time nothing is due: found out without the writers' lock.
  if (!(await isAnyDue(store.db, groups, now))) return []
  return store.transaction(async (trx) => {
    const free: string[] = []
    for (const group of groups) {
      const left = limit - free.length
      const places = group === 'waiting-for-dns' ? Math.min(left, looksMax) : left
      if (places < 1) continue
      const found = await dueOf(trx, group, now)
        .orderBy('next_attempt_at')
        .limit(places)
        // Two nodes that look at once get different hosts instead of waiting for each other.
        .$if(store.engine === 'postgres', (select) => select.forUpdate().skipLocked())
        .execute()
      free.push(...found.map(({ hostname }) => hostname))
    }
    return lease(trx, free, { claim, now, via: 'due', onUnreadable })
  })
}

type DueGroup = Urgency | 'waiting-for-dns'

/** In the order in which they come. */
const DUE_GROUPS: readonly DueGroup[] = [
  ...(['expiring', 'replace-now', 'first', 'waiting-for-dns', 'renewal', 'idle'] as const),
]

async function isAnyDue(db: Database, groups: readonly DueGroup[], now: Date): Promise<boolean> {
  for (const group of groups) {
    const [one] = await dueOf(db, group, now).limit(1).execute()
    if (one) return true
  }
  return false
}

/** Served by `hosts_due`, and by `hosts_to_look_at`. */
function dueOf(db: Database, group: DueGroup, now: Date) {
  const due = db
    .selectFrom('hosts')
    .select('hostname')
    .where('next_attempt_at', '<=', now.getTime())
    .where('queue_rank', 'is', null)
    .where(isFree(now))
  if (group === 'waiting-for-dns') return due.where('ready_at', 'is', null)
  return due.where('ready_at', 'is not', null).where('priority', '=', urgencyRank(group))
}

export interface Leasing {
  readonly claim: LeaseClaim
  readonly now: Date
  readonly via: ClaimedHost['via']
  readonly onUnreadable: OnUnreadable
}

/** Leases hosts that were found free in the same transaction, and returns them in this order. */
export async function lease(
  trx: Database,
  hostnames: readonly string[],
  { claim, now, via, onUnreadable }: Leasing,
): Promise<readonly ClaimedHost[]> {
  if (hostnames.length === 0) return []
  const rows = await trx
    .updateTable('hosts')
    .set((eb) => ({
      ...toLease(claim, now),
      lease_fence: eb('lease_fence', '+', 1),
      // Its turn has come, whatever was guessed.
      ...(via === 'queue' ? { next_attempt_at: now.getTime() } : {}),
    }))
    .where('hostname', 'in', hostnames)
    .returningAll()
    .execute()
  const unreadable: string[] = []
  const claimed = readRows(
    rows,
    (row): ClaimedHost => ({ host: rowToHost(row), fence: row.lease_fence, via }),
    (row) => {
      unreadable.push(row.hostname)
      onUnreadable(row)
    },
  )
  if (unreadable.length > 0) await setAside(trx, unreadable, now)
  const placeOf = new Map(hostnames.map((hostname, place) => [hostname, place]))
  const place = ({ host }: ClaimedHost): number => placeOf.get(host.hostname) ?? 0
  return claimed.toSorted((one, other) => place(one) - place(other))
}

/**
 * Nobody works on it. A lease that ends far in the future was taken by a clock that has been put
 * back since.
 */
export function isFree(now: Date) {
  return ({ eb, or }: ExpressionBuilder<Schema, 'hosts'>) =>
    or([
      eb('lease_until', 'is', null),
      eb('lease_until', '<=', now.getTime()),
      eb('lease_until', '>', after(now, LEASE_MAX).getTime()),
    ])
}

/** Leases are for half a minute; and the clocks of nodes do not differ by more. */
const LEASE_MAX = minutes(10)

/** A person has to look at it, or a newer version; to try each second would only fill the log. */
async function setAside(trx: Database, hostnames: readonly string[], now: Date): Promise<void> {
  await trx
    .updateTable('hosts')
    .set({ ...NO_LEASE, queue_rank: null, next_attempt_at: after(now, ASIDE).getTime() })
    .where('hostname', 'in', hostnames)
    .execute()
}

const ASIDE = days(1)

function claimOne(
  { store, clock }: LeaseDeps,
  hostname: Hostname,
  claim: LeaseClaim,
): Promise<ClaimedHost | undefined> {
  return store.transaction(async (trx) => {
    const now = clock.now()
    const row = await trx
      .updateTable('hosts')
      .set((eb) => ({
        ...toLease(claim, now),
        // What is saved later must be able to tell whether the host was made due meanwhile. A host
        // that waits for the CA's time (`isWaitingForCa`) keeps that time.
        next_attempt_at: eb
          .case()
          .when(
            eb.and([eb('reason_code', 'like', 'ca/%'), eb('next_attempt_at', '>', now.getTime())]),
          )
          .then(eb.ref('next_attempt_at'))
          .else(now.getTime())
          .end(),
        lease_fence: eb('lease_fence', '+', 1),
      }))
      .where('hostname', '=', hostname)
      .where('state', '!=', 'retired')
      .where(isFree(now))
      .returningAll()
      .executeTakeFirst()
    return row && { host: rowToHost(row), fence: row.lease_fence, via: 'asked' }
  })
}

/** What `save` and `enqueue` write. */
export interface SavedHost extends Omit<HostSaving, 'history'> {
  readonly claimed: ClaimedHost
  readonly host: Host
  readonly rows: readonly HostHistoryRow[]
}

function save(store: Store, saved: SavedHost): Promise<boolean> {
  return store.transaction((trx) => writeHost(trx, saved, saved.host.queuedAt ? {} : NOT_QUEUED))
}

const NOT_QUEUED = { queue_rank: null } as const

/**
 * Writes a host under its fence. What others may write meanwhile, without the lease, stays as they
 * wrote it: that it is due, and how urgently; that a renewal was asked for.
 */
export async function writeHost(
  trx: Database,
  { claimed, host, rows, lease, https }: SavedHost,
  queue: { readonly queue_rank?: number | null },
): Promise<boolean> {
  const columns = hostToColumns(host)
  const before = hostToColumns(claimed.host)
  const isProven = claimed.host.claimToken !== undefined && host.claimToken === undefined
  const { numUpdatedRows } = await trx
    .updateTable('hosts')
    .set((eb) => ({
      ...{ ...columns, ...queue },
      ...(lease === 'release' ? NO_LEASE : {}),
      ...leaveColumns(claimed.host, host),
      ...(isProven ? { released_by: null } : {}),
      ...(host.httpsSafe && https !== 'promised' ? { https_safe: eb.ref('https_safe') } : {}),
      next_attempt_at: eb
        .case()
        .when('next_attempt_at', '=', before.next_attempt_at)
        .then(columns.next_attempt_at)
        .else(eb.ref('next_attempt_at'))
        .end(),
      priority: eb
        .case()
        .when('next_attempt_at', '=', before.next_attempt_at)
        .then(columns.priority)
        .else(eb.ref('priority'))
        .end(),
      // Whoever asks for a renewal does not mean that the name is over.
      ceased_at: eb
        .case()
        .when('renewal_asked_at', 'is not distinct from', before.renewal_asked_at)
        .then(columns.ceased_at)
        .else(eb.ref('ceased_at'))
        .end(),
      renewal_asked_at: eb
        .case()
        .when('renewal_asked_at', '=', before.renewal_asked_at)
        .then(columns.renewal_asked_at)
        .else(eb.ref('renewal_asked_at'))
        .end(),
    }))
    .where('hostname', '=', host.hostname)
    .where('lease_fence', '=', claimed.fence)
    .executeTakeFirst()
  if (numUpdatedRows === 0n) return false
  if (isProven) await forgetToken(trx, host.hostname, host.account)
  if (rows.length > 0)
    await trx
      .insertInto('host_history')
      .values([...rows])
      .execute()
  return true
}

/** Authorizations are deactivated once the host has left, unless it is back. */
function leaveColumns(before: Host, host: Host): { readonly leave_at?: number | null } {
  if (host.leftAt && !before.leftAt) return { leave_at: host.leftAt.getTime() }
  return before.leftAt && !host.leftAt ? { leave_at: null } : {}
}

async function renewLeases(
  { store, clock }: LeaseDeps,
  claimed: readonly ClaimedHost[],
  leaseFor: Duration,
): Promise<readonly ClaimedHost[]> {
  if (claimed.length === 0) return []
  const until = after(clock.now(), leaseFor).getTime()
  return store.transaction(async (trx) => {
    const lost: ClaimedHost[] = []
    for (const one of claimed) {
      const { numUpdatedRows } = await trx
        .updateTable('hosts')
        .set({ lease_until: until })
        .where('hostname', '=', one.host.hostname)
        .where('lease_fence', '=', one.fence)
        .where('lease_holder', 'is not', null)
        .executeTakeFirst()
      if (numUpdatedRows === 0n) lost.push(one)
    }
    return lost
  })
}

function toLease({ holder, leaseFor }: LeaseClaim, now: Date) {
  return { lease_holder: holder, lease_until: after(now, leaseFor).getTime() }
}

const NO_LEASE = { lease_holder: null, lease_until: null } as const
