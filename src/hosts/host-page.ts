import type { Store } from '../store/index.ts'
import type { Host, HostState } from './host-life.ts'
import { rowToHost } from './host-row.ts'

/** Which hosts to show, in the order of their names. */
export interface HostQuery {
  readonly state?: HostState | undefined
  /** A part of the name. */
  readonly q?: string | undefined
  readonly account?: string | undefined
  /** At most `HOST_PAGE_MAX`. */
  readonly limit: number
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined
}

export interface HostPage {
  readonly hosts: readonly Host[]
  /** Absent on the last page. */
  readonly nextCursor: string | undefined
}

/** Rows of one page: at most some 3 MB of JSON. */
const HOST_PAGE_MAX = 1000

export async function pageOfHosts(
  store: Store,
  { state, q, account, limit, cursor }: HostQuery,
): Promise<HostPage> {
  const part = q?.toLowerCase() ?? ''
  // What is not in the alphabet of names finds nothing, and is no wildcard of LIKE either.
  if (!/^[a-z0-9.-]*$/.test(part)) return { hosts: [], nextCursor: undefined }
  const size = Math.max(1, Math.min(limit, HOST_PAGE_MAX))
  let query = store.db.selectFrom('hosts').selectAll()
  if (state !== undefined) query = query.where('state', '=', state)
  if (part !== '') query = query.where('hostname', 'like', `%${part}%`)
  if (account !== undefined) query = query.where('account', '=', account)
  if (cursor !== undefined) query = query.where('hostname', '>', cursor)
  const rows = await query
    .orderBy('hostname')
    .limit(size + 1)
    .execute()
  const hosts = rows.slice(0, size).map(rowToHost)
  return { hosts, nextCursor: rows.length > size ? hosts.at(-1)?.hostname : undefined }
}

export async function countByState(store: Store): Promise<Readonly<Record<HostState, number>>> {
  const rows = await store.db
    .selectFrom('hosts')
    .select((eb) => ['state', eb.fn.countAll().as('count')])
    .groupBy('state')
    .execute()
  const counts = Object.fromEntries(rows.map((row) => [row.state, Number(row.count)]))
  return { ...NO_HOSTS, ...counts }
}

const NO_HOSTS: Readonly<Record<HostState, number>> = {
  'waiting-for-dns': 0,
  issuing: 0,
  active: 0,
  failing: 0,
  paused: 0,
  retired: 0,
}
