import type { Hostname } from '../kernel/index.ts'
import type { Database } from './database.ts'
import { type OnUnreadable, readRows, rowToHostname } from './host-row.ts'

// A key lives as long as its host. Whether a host is retired and whether its keys go is decided in
// one statement: between two, it may have been added again and have the keys of a new life.

/**
 * Destroys all keys of a host, and has none served, if it is retired: those of its certificates and
 * of its orders, of which none is gone on with. Returns how many certificates had one.
 */
export function destroyRetiredKeys(db: Database, hostname: Hostname): Promise<number> {
  return destroyKeys(db, named(db, hostname).where('hosts.state', '=', 'retired'))
}

/** The same for a host that has left, and whose last certificate is over. */
export function destroyLeftKeys(db: Database, hostname: Hostname, now: Date): Promise<number> {
  return destroyKeys(
    db,
    named(db, hostname)
      .where('hosts.left_at', 'is not', null)
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('certificates as current')
              .select('current.id')
              .whereRef('current.hostname', '=', 'hosts.hostname')
              .where('current.is_current', '=', 1)
              .where('current.not_after', '>', now.getTime()),
          ),
        ),
      ),
  )
}

function named(db: Database, hostname: Hostname) {
  return db.selectFrom('hosts').select('hosts.hostname').where('hosts.hostname', '=', hostname)
}

async function destroyKeys(db: Database, ifOver: ReturnType<typeof named>): Promise<number> {
  await db
    .updateTable('acme_orders')
    .set({ state: 'failed', problem: 'its host has left' })
    .where('hostname', 'in', ifOver)
    .where('state', 'not in', ['issued', 'failed'])
    .execute()
  await db
    .updateTable('acme_orders')
    .set({ sealed_key: NOTHING })
    .where('hostname', 'in', ifOver)
    .where('sealed_key', '!=', NOTHING)
    .execute()
  const { numUpdatedRows } = await db
    .updateTable('certificates')
    .set({ sealed_key: NOTHING, is_current: 0, ask_at: null })
    .where('hostname', 'in', ifOver)
    .where('sealed_key', '!=', NOTHING)
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
    // Nothing is due with them: the index of those serves.
    .where('next_attempt_at', 'is', null)
    .where('updated_at', '>=', since.getTime())
    .where(({ or, exists, selectFrom }) =>
      or([
        exists(
          selectFrom('certificates')
            .select('certificates.id')
            .whereRef('certificates.hostname', '=', 'hosts.hostname')
            .where('certificates.sealed_key', '!=', NOTHING),
        ),
        exists(
          selectFrom('acme_orders')
            .select('acme_orders.id')
            .whereRef('acme_orders.hostname', '=', 'hosts.hostname')
            .where('acme_orders.sealed_key', '!=', NOTHING),
        ),
      ]),
    )
    .execute()
  return readRows(rows, rowToHostname, onUnreadable)
}

/** What remains where a key was. */
export const NOTHING = Buffer.alloc(0)
