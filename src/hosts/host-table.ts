import type { Clock, Hostname, Random } from '../kernel/index.ts'
import type { Store } from '../store/index.ts'
import { moveHost } from './host.ts'
import { HostError } from './host-error.ts'
import type { HostEvent } from './host-event.ts'
import {
  createHistoryWriter,
  type HistoryDraft,
  type HistoryEntry,
  type HistoryWriter,
  rowToHistoryEntry,
} from './host-history.ts'
import { createHostLeases, type HostLeases } from './host-leases.ts'
import { type Host, type HostState, newHost } from './host-life.ts'
import { countByState, type HostPage, type HostQuery, pageOfHosts } from './host-page.ts'
import { hostToColumns, type OnUnreadable, readRows, rowToHost, rowToHostname } from './host-row.ts'
import { destroyRetiredKeys, retiredWithKeys } from './retired-keys.ts'

/** The hosts we know, what became of each, and (`HostLeases`) who works on which. */
export interface HostTable extends HostLeases {
  /** Adds a host, or starts a retired one anew; one that is there already stays as it is. */
  add(hostname: Hostname, domain: string): Promise<AddedHost>
  find(hostname: Hostname): Promise<Host | undefined>
  page(query: HostQuery): Promise<HostPage>
  countByState(): Promise<Readonly<Record<HostState, number>>>
  /**
   * Applies what a person asked for, and says so in the history. Whoever works on the host now
   * goes on, and does not overwrite that it is due again. Throws 'hosts/not-found'.
   */
  ask(hostname: Hostname, event: AskedEvent): Promise<Host>
  /**
   * Ends a host's life: https stops being promised in a first write, the host is gone with the
   * second, and whoever works on it can save no more. A retired host stays as it is. Throws
   * 'hosts/not-found'.
   */
  retire(hostname: Hostname): Promise<Host>
  /** The story of a host, oldest first; the latest `HISTORY_ENTRIES_MAX` entries. */
  history(hostname: Hostname): Promise<readonly HistoryEntry[]>
  /** When somebody last asked for a new certificate although the old one would do. */
  renewalAskedAt(hostname: Hostname): Promise<Date | undefined>
  /** Hosts that promise https and whose certificate ends before `before`. */
  endingBefore(before: Date, onUnreadable: OnUnreadable): Promise<readonly EndingHost[]>
  /** Stops promising https for a host; false if nobody did. */
  endHttps(hostname: Hostname, draft: HistoryDraft): Promise<boolean>
  /**
   * Destroys the keys of a retired host, and none of a host that was added again meanwhile. Returns
   * how many there were.
   */
  destroyRetiredKeys(hostname: Hostname): Promise<number>
  /** Hosts retired after `since` whose keys are not all gone: a kill, or somebody's late write. */
  retiredWithKeys(since: Date, onUnreadable: OnUnreadable): Promise<readonly Hostname[]>
  /** Makes the hosts due that wait for a reason which may have gone. */
  wakeWaiting(code: string): Promise<void>
}

export interface AddedHost {
  readonly host: Host
  readonly created: boolean
}

export type AskedEvent = Extract<HostEvent, { kind: 'check-asked' | 'renewal-asked' }>

export interface EndingHost {
  readonly hostname: Hostname
  readonly notBefore: Date
  readonly notAfter: Date
}

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
    add: (hostname, domain) => addHost(deps, hostname, domain),
    find: (hostname) => findHost(store, hostname),
    page: (query) => pageOfHosts(store, query),
    countByState: () => countByState(store),
    ask: (hostname, event) => move(deps, hostname, event, ASKED[event.kind]),
    retire: async (hostname) => {
      await move(deps, hostname, { kind: 'https-ending' })
      return move(deps, hostname, { kind: 'retired' }, RETIRED)
    },
    history: (hostname) => historyOf(store, hostname),
    renewalAskedAt: (hostname) => renewalAskedAt(store, hostname),
    endingBefore: (before, onUnreadable) => endingBefore(store, before, onUnreadable),
    endHttps: (hostname, draft) => endHttps(deps, hostname, draft),
    destroyRetiredKeys: (hostname) => destroyRetiredKeys(store.db, hostname),
    retiredWithKeys: (since, onUnreadable) => retiredWithKeys(store.db, since, onUnreadable),
    wakeWaiting: async (code) => {
      await store.db
        .updateTable('hosts')
        .set({ next_attempt_at: clock.now().getTime(), failures: 0 })
        .where('reason_code', '=', code)
        .where('next_attempt_at', 'is not', null)
        .execute()
    },
  }
}

interface TableDeps extends HostTableDeps {
  readonly toHistoryRow: HistoryWriter
}

async function addHost(
  { store, clock, toHistoryRow }: TableDeps,
  hostname: Hostname,
  domain: string,
): Promise<AddedHost> {
  const host = newHost(hostname, domain, clock.now())
  const columns = hostToColumns(host)
  return store.transaction(async (trx) => {
    // In the same transaction: what is left of an ended life must not count as this one's.
    await destroyRetiredKeys(trx, hostname)
    const written = await trx
      .insertInto('hosts')
      .values({ hostname, ...columns })
      .onConflict((conflict) =>
        conflict.column('hostname').doUpdateSet(columns).where('hosts.state', '=', 'retired'),
      )
      .returning('hostname')
      .executeTakeFirst()
    if (written) {
      await trx.insertInto('host_history').values(toHistoryRow(hostname, ADDED)).execute()
      return { host, created: true }
    }
    const there = await trx
      .selectFrom('hosts')
      .selectAll()
      .where('hostname', '=', hostname)
      .executeTakeFirstOrThrow()
    return { host: rowToHost(there), created: false }
  })
}

async function findHost(store: Store, hostname: Hostname): Promise<Host | undefined> {
  const row = await store.db
    .selectFrom('hosts')
    .selectAll()
    .where('hostname', '=', hostname)
    .executeTakeFirst()
  return row && rowToHost(row)
}

/**
 * Reads, moves and writes a host in one transaction, whoever holds its lease. A retired host is
 * there only to be ended, which it is already.
 */
function move(
  { store, clock, random, toHistoryRow }: TableDeps,
  hostname: Hostname,
  event: HostEvent,
  draft?: HistoryDraft,
): Promise<Host> {
  const isEnding = event.kind === 'https-ending' || event.kind === 'retired'
  return store.transaction(async (trx) => {
    const row = await trx
      .selectFrom('hosts')
      .selectAll()
      .where('hostname', '=', hostname)
      .$if(!isEnding, (select) => select.where('state', '!=', 'retired'))
      .$if(store.engine === 'postgres', (select) => select.forUpdate())
      .executeTakeFirst()
    if (!row) {
      throw new HostError('hosts/not-found', `${hostname} is not a host here.`, {
        fix: `Add it first: postern host add ${hostname}`,
      })
    }
    if (row.state === 'retired') return rowToHost(row)
    const host = moveHost(rowToHost(row), event, { now: clock.now(), random })
    await trx
      .updateTable('hosts')
      .set((eb) => ({
        ...hostToColumns(host),
        ...(host.state === 'retired'
          ? { lease_holder: null, lease_until: null, lease_fence: eb('lease_fence', '+', 1) }
          : {}),
      }))
      .where('hostname', '=', hostname)
      .execute()
    if (draft) {
      await trx.insertInto('host_history').values(toHistoryRow(hostname, draft)).execute()
    }
    return host
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

async function renewalAskedAt(store: Store, hostname: Hostname): Promise<Date | undefined> {
  const row = await store.db
    .selectFrom('host_history')
    .select('at')
    .where('hostname', '=', hostname)
    .where('step', '=', 'renew')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row && new Date(row.at)
}

async function endingBefore(
  store: Store,
  before: Date,
  onUnreadable: OnUnreadable,
): Promise<readonly EndingHost[]> {
  const rows = await store.db
    .selectFrom('certificates')
    .innerJoin('hosts', 'hosts.hostname', 'certificates.hostname')
    .select(['hosts.hostname', 'certificates.not_before', 'certificates.not_after'])
    .where('certificates.is_current', '=', 1)
    .where('certificates.not_after', '<', before.getTime())
    .where('hosts.https_safe', '=', 1)
    .execute()
  const toEnding = (row: (typeof rows)[number]): EndingHost => ({
    hostname: rowToHostname(row),
    notBefore: new Date(row.not_before),
    notAfter: new Date(row.not_after),
  })
  return readRows(rows, toEnding, onUnreadable)
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
    await trx.insertInto('host_history').values(toHistoryRow(hostname, draft)).execute()
    return true
  })
}

const ADDED: HistoryDraft = { step: 'add', outcome: 'done', sentence: 'Added.' }
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
