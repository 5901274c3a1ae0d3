import type { Clock, Hostname, Random, Reason, Urgency } from '../kernel/index.ts'
import type { Store } from '../store/index.ts'
import { moveHost } from './host.ts'
import {
  type AddedHost,
  addHost,
  moveOver,
  type NameWish,
  sweepClaims,
  tokenOf,
} from './host-claims.ts'
import { createHostEnds, type HostEnds } from './host-ends.ts'
import { HostError } from './host-error.ts'
import type { HostEvent, MoveContext } from './host-event.ts'
import {
  createHistoryWriter,
  type HistoryDraft,
  type HistoryEntry,
  type HistoryWriter,
  rowToHistoryEntry,
} from './host-history.ts'
import { createHostLeases, type HostLeases } from './host-leases.ts'
import { createHostLeavers, type HostLeavers } from './host-leavers.ts'
import { DEFAULT_ACCOUNT, type Host, type HostState } from './host-life.ts'
import { createHostNotices, type HostNotices } from './host-notices.ts'
import { countByState, type HostPage, type HostQuery, pageOfHosts } from './host-page.ts'
import { createHostQueue, type HostQueue } from './host-queue.ts'
import { hostToColumns, type OnUnreadable, rowToHost } from './host-row.ts'
import { createHostUpkeep, type HostUpkeep } from './host-upkeep.ts'
import { createHostVisits, type HostVisits } from './host-visits.ts'
import { destroyLeftKeys, destroyRetiredKeys, retiredWithKeys } from './retired-keys.ts'

/**
 * The hosts we know and what became of each; who works on which (`HostLeases`), who waits
 * (`HostQueue`), who is visited, has left, or is to be told.
 */
export interface HostTable
  extends HostLeases,
    HostQueue,
    HostNotices,
    HostVisits,
    HostLeavers,
    HostEnds,
    HostUpkeep {
  /**
   * Adds a host, or starts a retired one anew; one that is there already stays as it is. A name that
   * another account had begins with a `claimToken`. Throws 'hosts/other-account' for one that it has.
   */
  add(hostname: Hostname, domain: string, account?: string): Promise<AddedHost>
  /** The token that this account was asked to show in DNS for a name of another account. */
  claimToken(hostname: Hostname, account: string): Promise<string | undefined>
  /** Gives a name to the account that has shown its token. Throws 'hosts/other-account'. */
  moveOver(wish: NameWish, token: string): Promise<AddedHost>
  /**
   * Forgets proofs that were asked for before `before` and that nobody waits for. If there are any,
   * `mayGoOn` is asked first.
   */
  sweepClaims(before: Date, mayGoOn: () => Promise<boolean>): Promise<void>
  find(hostname: Hostname): Promise<Host | undefined>
  page(query: HostQuery): Promise<HostPage>
  countByState(): Promise<Readonly<Record<HostState, number>>>
  /**
   * Applies what a person asked for, and says so in the history. Whoever works on the host now
   * goes on, and does not overwrite that it is due again. Throws 'hosts/not-found'.
   */
  ask(hostname: Hostname, event: AskedEvent): Promise<Host>
  /**
   * Its certificate is to be renewed at another time: it is due then, and as urgent as that, whoever
   * works on it.
   */
  renewalMoved(hostname: Hostname, renewAt: Date, urgency: Urgency): Promise<void>
  /**
   * Its certificates come from elsewhere now; who works on it can save no more. Throws
   * 'hosts/not-found', also where `life` has ended meanwhile.
   */
  changeSource(hostname: Hostname, event: SourceEvent, life?: HostLifeKey): Promise<Host>
  /** Its owner has had the certificate in use revoked because the name is over. */
  cease(hostname: Hostname, reason: Reason): Promise<void>
  /** Writes down what happened to a host that stays as it is. */
  note(hostname: Hostname, draft: HistoryDraft): Promise<void>
  /**
   * Ends a host's life: https stops being promised in a first write, the host is gone with the
   * second, and whoever works on it can save no more. A retired host stays as it is. Throws
   * 'hosts/not-found'.
   */
  retire(hostname: Hostname, why?: string): Promise<Host>
  /** The same for a host that left before `before`; `undefined` if it has come back. */
  retireLeaver(hostname: Hostname, before: Date, why: string): Promise<Host | undefined>
  /** The story of a host, oldest first; the latest `HISTORY_ENTRIES_MAX` entries. */
  history(hostname: Hostname): Promise<readonly HistoryEntry[]>
  /**
   * Its certificate is over, and what it waits for has not come: it is not active any more. False if
   * it was not, or if it was written since `updatedAt`.
   */
  expire(hostname: Hostname, updatedAt: Date, telling: ExpiryTelling): Promise<boolean>
  /** Stops promising https for a host; false if nobody did. */
  endHttps(hostname: Hostname, draft: HistoryDraft): Promise<boolean>
  /**
   * Destroys the keys of a retired host, and none of a host that was added again meanwhile. Returns
   * how many there were.
   */
  destroyRetiredKeys(hostname: Hostname): Promise<number>
  /** Ends the wait of a host that has left: its certificate is over, and its keys are destroyed. */
  endLeaver(hostname: Hostname, draft: HistoryDraft): Promise<void>
  /** Hosts retired after `since` whose keys are not all gone: a kill, or somebody's late write. */
  retiredWithKeys(since: Date, onUnreadable: OnUnreadable): Promise<readonly Hostname[]>
  /** Makes the hosts due that wait for a reason which may have gone. */
  wakeWaiting(code: string): Promise<void>
}

export interface ExpiryTelling {
  readonly reason: Reason
  readonly draft: HistoryDraft
}

/** One life of a name: one that was added anew, or that another account has now, is another. */
export type HostLifeKey = Pick<Host, 'account' | 'createdAt'>

export type AskedEvent = Extract<HostEvent, { kind: 'check-asked' | 'renewal-asked' }>
export type SourceEvent = Extract<HostEvent, { kind: 'brought' | 'handed-over' }>

/** Years of daily failures; what is older helps nobody any more. */
const HISTORY_ENTRIES_MAX = 1000

interface HostTableDeps {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
}

export function createHostTable({ store, clock, random }: HostTableDeps): HostTable {
  const toHistoryRow = createHistoryWriter({ clock, random })
  const deps: TableDeps = { store, clock, random, toHistoryRow }
  return {
    ...createHostLeases(deps),
    ...createHostQueue(deps),
    ...createHostNotices(deps),
    ...createHostVisits(deps),
    ...createHostLeavers(deps),
    ...createHostEnds(deps),
    ...createHostUpkeep(deps),
    add: (hostname, domain, account = DEFAULT_ACCOUNT) =>
      addHost(deps, { hostname, domain, account }),
    claimToken: (hostname, account) => tokenOf(store.db, hostname, account),
    moveOver: (wish, token) => moveOver(deps, wish, token),
    sweepClaims: (before, mayGoOn) => sweepClaims(store.db, before, mayGoOn),
    find: (hostname) => findHost(store, hostname),
    page: (query) => pageOfHosts(store, query),
    countByState: () => countByState(store),
    ask: (hostname, event) => move(deps, hostname, event, { draft: ASKED[event.kind] }),
    renewalMoved: async (hostname, renewAt, urgency) => {
      await moveIfThere(deps, hostname, { kind: 'renewal-moved', renewAt, urgency })
    },
    changeSource: (hostname, event, life) =>
      move(deps, hostname, event, {
        draft: SOURCES[event.kind],
        isStill: (host) => isLife(host, life),
      }),
    cease: async (hostname, reason) => {
      const isStill = ({ leftAt, certificateFrom }: Host): boolean =>
        leftAt === undefined && certificateFrom === 'acme'
      const draft: HistoryDraft = {
        ...{ step: 'revoke', outcome: 'done', code: reason.code, sentence: reason.sentence },
      }
      await moveIfThere(deps, hostname, { kind: 'ceased', reason }, { draft, isStill })
    },
    note: (hostname, draft) => note(deps, hostname, draft),
    retire: async (hostname, why) => {
      await move(deps, hostname, { kind: 'https-ending' })
      const draft = why === undefined ? RETIRED : { ...RETIRED, sentence: why }
      return move(deps, hostname, { kind: 'retired' }, { draft })
    },
    retireLeaver: (hostname, before, why) => {
      // Nothing is promised for who has left.
      const isStill = ({ leftAt }: Host): boolean => leftAt !== undefined && leftAt < before
      const draft = { ...RETIRED, sentence: why }
      return moveIfThere(deps, hostname, { kind: 'retired' }, { draft, isStill })
    },
    history: (hostname) => historyOf(store, hostname),
    expire: async (hostname, updatedAt, { reason, draft }) => {
      const isStill = (host: Host): boolean =>
        host.state === 'active' && host.updatedAt.getTime() === updatedAt.getTime()
      const event: HostEvent = { kind: 'expired', reason }
      return (await moveIfThere(deps, hostname, event, { draft, isStill })) !== undefined
    },
    endHttps: (hostname, draft) => endHttps(deps, hostname, draft),
    destroyRetiredKeys: (hostname) => destroyRetiredKeys(store.db, hostname),
    endLeaver: async (hostname, draft) => {
      await destroyLeftKeys(store.db, hostname, clock.now())
      await moveIfThere(deps, hostname, { kind: 'ended' }, { draft })
    },
    retiredWithKeys: (since, onUnreadable) => retiredWithKeys(store.db, since, onUnreadable),
    wakeWaiting: (code) => wakeWaiting(deps, code),
  }
}

interface TableDeps extends HostTableDeps {
  readonly toHistoryRow: HistoryWriter
}

async function findHost(store: Store, hostname: Hostname): Promise<Host | undefined> {
  const row = await store.db
    .selectFrom('hosts')
    .selectAll()
    .where('hostname', '=', hostname)
    .executeTakeFirst()
  return row && rowToHost(row)
}

interface Moving {
  readonly draft?: HistoryDraft
  /** Judges the row that is about to be written; false: nothing happens. */
  readonly isStill?: (host: Host) => boolean
}

/** Reads, moves and writes a host, whoever holds its lease. Throws 'hosts/not-found'. */
async function move(
  deps: TableDeps,
  hostname: Hostname,
  event: HostEvent,
  moving?: Moving,
): Promise<Host> {
  const host = await moveIfThere(deps, hostname, event, moving)
  if (host) return host
  throw new HostError('hosts/not-found', `${hostname} is not a host here.`, {
    fix: `Add it first: postern host add ${hostname}`,
  })
}

/** A retired host is there only to be ended, which it is already. */
function moveIfThere(
  { store, clock, random, toHistoryRow }: TableDeps,
  hostname: Hostname,
  event: HostEvent,
  { draft, isStill = () => true }: Moving = {},
): Promise<Host | undefined> {
  const isEnding = event.kind === 'https-ending' || event.kind === 'retired'
  return store.transaction(async (trx) => {
    const row = await trx
      .selectFrom('hosts')
      .selectAll()
      .where('hostname', '=', hostname)
      .$if(!isEnding, (select) => select.where('state', '!=', 'retired'))
      .$if(store.engine === 'postgres', (select) => select.forUpdate())
      .executeTakeFirst()
    if (!row) return undefined
    if (row.state === 'retired') return rowToHost(row)
    const context: MoveContext = { now: clock.now(), random }
    const before = rowToHost(row)
    if (!isStill(before)) return undefined
    const host = moveHost(before, event, context)
    if (host === before) return host
    await trx
      .updateTable('hosts')
      .set((eb) => ({
        ...hostToColumns(host),
        ...(host.queuedAt ? {} : { queue_rank: null }),
        ...(isTakenAway(event)
          ? { lease_holder: null, lease_until: null, lease_fence: eb('lease_fence', '+', 1) }
          : {}),
        // Nobody is to issue for it without another look at who has it then.
        ...(event.kind === 'retired' ? { leave_at: context.now.getTime() } : {}),
      }))
      .where('hostname', '=', hostname)
      .execute()
    if (draft) await trx.insertInto('host_history').values(toHistoryRow(host, draft)).execute()
    return host
  })
}

/** After these, what somebody is doing for the host at the moment must not be written any more. */
function isTakenAway({ kind }: HostEvent): boolean {
  return kind === 'retired' || kind === 'brought' || kind === 'handed-over' || kind === 'ceased'
}

/** Is it (still) this life, and free of proofs that somebody else may have to show? */
function isLife(host: Host, life: HostLifeKey | undefined): boolean {
  if (!life) return true
  const isSame = host.createdAt.getTime() === life.createdAt.getTime()
  return isSame && host.account === life.account && host.claimToken === undefined
}

/** In batches: of a reason that all had, there may be a million. */
async function wakeWaiting(
  { store, clock }: Pick<TableDeps, 'store' | 'clock'>,
  code: string,
): Promise<void> {
  const now = clock.now().getTime()
  let cursor = ''
  for (;;) {
    const rows = await store.db
      .selectFrom('hosts')
      .select('hostname')
      .where('reason_code', '=', code)
      .where('next_attempt_at', 'is not', null)
      .where('hostname', '>', cursor)
      .orderBy('hostname')
      .limit(WOKEN_AT_ONCE)
      .execute()
    const hostnames = rows.map(({ hostname }) => hostname)
    const last = hostnames.at(-1)
    if (last === undefined) return
    await store.db
      .updateTable('hosts')
      .set({ next_attempt_at: now, failures: 0 })
      .where('hostname', 'in', hostnames)
      .where('reason_code', '=', code)
      .where('next_attempt_at', 'is not', null)
      .execute()
    cursor = last
  }
}

const WOKEN_AT_ONCE = 500

function note(
  { store, toHistoryRow }: TableDeps,
  hostname: Hostname,
  draft: HistoryDraft,
): Promise<void> {
  return store.transaction(async (trx) => {
    const host = await trx
      .selectFrom('hosts')
      .select(['hostname', 'account'])
      .where('hostname', '=', hostname)
      .executeTakeFirst()
    const row = toHistoryRow(host ?? { hostname }, draft)
    await trx.insertInto('host_history').values(row).execute()
  })
}

async function historyOf(store: Store, hostname: Hostname): Promise<readonly HistoryEntry[]> {
  const rows = await store.db
    .selectFrom('host_history')
    .selectAll()
    .where('hostname', '=', hostname)
    .orderBy('id', 'desc')
    .limit(HISTORY_ENTRIES_MAX)
    .execute()
  return rows.reverse().map(rowToHistoryEntry)
}

function endHttps(
  { store, clock, toHistoryRow }: TableDeps,
  hostname: Hostname,
  draft: HistoryDraft,
): Promise<boolean> {
  return store.transaction(async (trx) => {
    const { numUpdatedRows } = await trx
      .updateTable('hosts')
      .set({ https_safe: 0, updated_at: clock.now().getTime() })
      .where('hostname', '=', hostname)
      .where('https_safe', '=', 1)
      .executeTakeFirst()
    if (numUpdatedRows === 0n) return false
    await trx.insertInto('host_history').values(toHistoryRow({ hostname }, draft)).execute()
    return true
  })
}

const RETIRED: HistoryDraft = {
  step: 'retire',
  outcome: 'done',
  sentence: 'Retired: no longer served.',
}
const ASKED: Readonly<Record<AskedEvent['kind'], HistoryDraft>> = {
  'check-asked': { step: 'check', outcome: 'asked', sentence: 'A check was asked for.' },
  'renewal-asked': {
    step: 'renew',
    outcome: 'asked',
    sentence: 'A new certificate was asked for.',
  },
}
const SOURCES: Readonly<Record<SourceEvent['kind'], HistoryDraft>> = {
  brought: {
    step: 'bring',
    outcome: 'done',
    sentence: 'It has a certificate of its owner now: no certificate authority is asked.',
  },
  'handed-over': {
    step: 'bring',
    outcome: 'done',
    sentence: 'Its certificates come from a certificate authority from now on.',
  },
}
