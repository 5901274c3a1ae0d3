import type { Clock, Hostname, Random } from '../kernel/index.ts'
import type { Store } from '../store/index.ts'
import { claimRecord, formatClaim } from './claim-record.ts'
import type { Database } from './database.ts'
import { HostError } from './host-error.ts'
import type { HistoryDraft, HistoryWriter } from './host-history.ts'
import { type Host, newHost } from './host-life.ts'
import { hostToColumns, rowToHost } from './host-row.ts'
import { destroyRetiredKeys } from './retired-keys.ts'

// Whose a name is. A CNAME that leads here proves nothing: it may have been left behind by a
// customer of another account ("dangling CNAME"). So a name that another account has or had is
// given only to who can write a record of our choice below it.

export interface NameWish {
  readonly hostname: Hostname
  readonly domain: string
  readonly account: string
}

export interface AddedHost {
  readonly host: Host
  readonly created: boolean
}

interface ClaimDeps {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly toHistoryRow: HistoryWriter
}

const TOKEN_BYTES = 16

/** Adds a host, or starts a retired one anew. Throws 'hosts/other-account'. */
export async function addHost(deps: ClaimDeps, wish: NameWish): Promise<AddedHost> {
  const { store, random, clock } = deps
  const { hostname, domain, account } = wish
  const token = random.bytes(TOKEN_BYTES).toString('hex')
  const outcome = await store.transaction(async (trx): Promise<AddedHost | 'taken'> => {
    const there = await trx
      .selectFrom('hosts')
      .selectAll()
      .where('hostname', '=', hostname)
      .$if(store.engine === 'postgres', (select) => select.forUpdate())
      .executeTakeFirst()
    const fresh = newHost(hostname, domain, clock.now(), account)
    if (!there) return begin(deps, trx, { host: fresh, releasedBy: null })
    const host = rowToHost(there)
    const holder = there.released_by ?? there.account
    if (holder === account && (host.state === 'retired' || host.account !== account)) {
      return begin(deps, trx, { host: fresh, releasedBy: null })
    }
    if (host.state !== 'retired' && host.account === account) return { host, created: false }
    const claimToken = await keepToken(trx, wish, { token, now: clock.now() })
    if (host.state !== 'retired') return 'taken'
    return begin(deps, trx, { host: { ...fresh, claimToken }, releasedBy: holder })
  })
  if (outcome === 'taken') throw await otherAccount(store.db, wish)
  return outcome
}

/** Writes the beginning of a life, whatever was there of an ended one. */
async function begin(
  { toHistoryRow }: Pick<ClaimDeps, 'toHistoryRow'>,
  trx: Database,
  { host, releasedBy }: { readonly host: Host; readonly releasedBy: string | null },
): Promise<AddedHost> {
  const { hostname } = host
  // In the same transaction: what is left of an ended life must not count as this one's.
  await destroyRetiredKeys(trx, hostname)
  const columns = {
    ...hostToColumns(host),
    ...{ released_by: releasedBy, queue_rank: null, visited_at: null },
    // What CAs allow because of the account that had it is still to be ended, for another.
    ...(releasedBy === null ? { leave_at: null } : {}),
    ...{ lease_holder: null, lease_until: null },
  }
  await trx
    .insertInto('hosts')
    .values({ hostname, ...columns })
    .onConflict((conflict) =>
      conflict.column('hostname').doUpdateSet((eb) => ({
        ...columns,
        lease_fence: eb('hosts.lease_fence', '+', 1),
      })),
    )
    .execute()
  await trx.insertInto('host_history').values(toHistoryRow(host, ADDED)).execute()
  return { host, created: true }
}

const ADDED: HistoryDraft = { step: 'add', outcome: 'done', sentence: 'Added.' }

/** The account's token for this name: random, and the same until it has been used. */
async function keepToken(
  trx: Database,
  { hostname, account }: NameWish,
  { token, now }: { readonly token: string; readonly now: Date },
): Promise<string> {
  await trx
    .insertInto('host_claims')
    .values({ hostname, account, token, created_at: now.getTime() })
    .onConflict((conflict) => conflict.columns(['hostname', 'account']).doNothing())
    .execute()
  return (await tokenOf(trx, hostname, account)) ?? token
}

/** The token that an account was asked to show; `undefined` if none was. */
export async function tokenOf(
  db: Database,
  hostname: Hostname,
  account: string,
): Promise<string | undefined> {
  const row = await db
    .selectFrom('host_claims')
    .select('token')
    .where('hostname', '=', hostname)
    .where('account', '=', account)
    .executeTakeFirst()
  return row?.token
}

async function otherAccount(db: Database, { hostname, account }: NameWish): Promise<HostError> {
  const token = (await tokenOf(db, hostname, account)) ?? ''
  return new HostError('hosts/other-account', `${hostname} belongs to another account.`, {
    fix: `If it is yours, create this DNS record, and add the host again: ${formatClaim(claimRecord(hostname, token))}`,
  })
}

/**
 * Gives a name to another account, which has shown `token` in DNS: its life begins anew, and nothing
 * of the old one is left. Throws 'hosts/other-account' if the token is not (any more) its own.
 */
export async function moveOver(deps: ClaimDeps, wish: NameWish, token: string): Promise<AddedHost> {
  const { store, clock, toHistoryRow } = deps
  const { hostname, domain, account } = wish
  const moved = await store.transaction(async (trx): Promise<AddedHost | undefined> => {
    if ((await tokenOf(trx, hostname, account)) !== token) return undefined
    const before = await trx
      .updateTable('hosts')
      .set({ state: 'retired' })
      .where('hostname', '=', hostname)
      .returning('account')
      .executeTakeFirst()
    if (before) {
      const gone = toHistoryRow({ hostname, account: before.account }, GONE_OVER)
      await trx.insertInto('host_history').values(gone).execute()
    }
    const host = newHost(hostname, domain, clock.now(), account)
    const added = await begin(deps, trx, { host, releasedBy: null })
    await trx.insertInto('host_history').values(toHistoryRow(host, COME_OVER)).execute()
    await forgetToken(trx, hostname, account)
    return added
  })
  if (!moved) throw await otherAccount(store.db, wish)
  return moved
}

/** A proof counts once: the next takes a new token. */
export async function forgetToken(
  trx: Database,
  hostname: Hostname,
  account: string,
): Promise<void> {
  await trx
    .deleteFrom('host_claims')
    .where('hostname', '=', hostname)
    .where('account', '=', account)
    .execute()
}

/**
 * Forgets proofs that were asked for before `before`, but not those that hosts wait for. If there
 * are any, `mayGoOn` is asked first.
 */
export async function sweepClaims(
  db: Database,
  before: Date,
  mayGoOn: () => Promise<boolean>,
): Promise<void> {
  const oldest = await db
    .selectFrom('host_claims')
    .select('token')
    .where('created_at', '<', before.getTime())
    .limit(1)
    .executeTakeFirst()
  if (!oldest || !(await mayGoOn())) return
  const awaited = db.selectFrom('hosts').select('claim_token').where('claim_token', 'is not', null)
  await db
    .deleteFrom('host_claims')
    .where('created_at', '<', before.getTime())
    .where('token', 'not in', awaited)
    .execute()
}

const GONE_OVER: HistoryDraft = {
  step: 'claim',
  outcome: 'done',
  sentence: 'It has gone over to another account, which showed in DNS that it may have it.',
  notice: 'moved',
}
const COME_OVER: HistoryDraft = {
  step: 'claim',
  outcome: 'done',
  sentence: 'It has come over from another account: the record in DNS shows that this is right.',
  notice: 'moved',
}
