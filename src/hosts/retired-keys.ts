import type { Hostname } from '../kernel/index.ts'
import type { Store } from '../store/index.ts'
import { type OnUnreadable, readRows, rowToHostname } from './host-row.ts'

// A key lives as long as its host. Whether a host is retired and whether its keys go is decided in
// one statement: between two, it may have been added again and have the keys of a new life.

type Database = Pick<Store['db'], 'updateTable' | 'selectFrom'>

/** Destroys all keys of a host, and has none served, if it is retired. Returns how many there were. */
export async function destroyRetiredKeys(db: Database, hostname: Hostname): Promise<number> {
  const { numUpdatedRows } = await db
    .updateTable('certificates')
    .set({ sealed_key: NOTHING, is_current: 0 })
    .where('hostname', '=', hostname)
    .where('sealed_key', '!=', NOTHING)
    .where(({ exists, selectFrom }) =>
      exists(
        selectFrom('hosts')
          .select('hosts.hostname')
          .where('hosts.hostname', '=', hostname)
          .where('hosts.state', '=', 'retired'),
      ),
    )
    .executeTakeFirst()
  return Number(numUpdatedRows)
}

/** Hosts retired after `since` whose keys are not all gone: a kill, or somebody's late write. */
export async function retiredWithKeys(
  db: Database,
  since: Date,
  onUnreadable: OnUnreadable,
): Promise<readonly Hostname[]> {
  const rows = await db
    .selectFrom('hosts')
    .select('hostname')
    .where('state', '=', 'retired')
    .where('updated_at', '>=', since.getTime())
    .where((eb) =>
      eb.exists(
        eb
          .selectFrom('certificates')
          .select('id')
          .whereRef('certificates.hostname', '=', 'hosts.hostname')
          .where('sealed_key', '!=', NOTHING),
      ),
    )
    .execute()
  return readRows(rows, rowToHostname, onUnreadable)
}

/** What remains where a key was. */
const NOTHING = Buffer.alloc(0)
