import { after, type Clock, type Duration, type Hostname } from '../kernel/index.ts'
import type { Store } from '../store/index.ts'
import { type OnUnreadable, readRows, rowToHostname } from './host-row.ts'
import { NOTHING } from './retired-keys.ts'

/** What is left to do for hosts whose customers have left. */
export interface HostLeavers {
  /** Hosts whose authorizations are to be deactivated. Each comes again after `again`, until done. */
  claimLeaving(claim: LeaveClaim): Promise<readonly LeavingHost[]>
  /** Its authorizations are deactivated. */
  leaveDone(leaving: LeavingHost): Promise<void>
  /** Hosts that have left, whose last certificate is over, and which still have keys. */
  endedLeavers(limit: number, onUnreadable: OnUnreadable): Promise<readonly Hostname[]>
  /** Hosts that left before `before`. */
  longGone(before: Date, limit: number, onUnreadable: OnUnreadable): Promise<readonly Hostname[]>
}

export interface LeaveClaim {
  readonly limit: number
  readonly again: Duration
  readonly onUnreadable: OnUnreadable
}

export interface LeavingHost {
  readonly hostname: Hostname
  /** When it comes again. One that has left anew meanwhile is not done. */
  readonly againAt: Date
}

export function createHostLeavers({
  store,
  clock,
}: {
  readonly store: Store
  readonly clock: Clock
}): HostLeavers {
  return {
    claimLeaving: async ({ limit, again, onUnreadable }) => {
      const now = clock.now()
      const againAt = after(now, again)
      const waiting = store.db
        .selectFrom('hosts')
        .select('hostname')
        .where('leave_at', '<=', now.getTime())
        .orderBy('leave_at')
        .limit(limit)
      if ((await waiting.execute()).length === 0) return []
      const rows = await store.transaction((trx) =>
        trx
          .updateTable('hosts')
          .set({ leave_at: againAt.getTime() })
          .where('hostname', 'in', waiting)
          .where('leave_at', '<=', now.getTime())
          .returning('hostname')
          .execute(),
      )
      const toLeaving = (row: { readonly hostname: string }): LeavingHost => ({
        hostname: rowToHostname(row),
        againAt,
      })
      return readRows(rows, toLeaving, onUnreadable)
    },
    leaveDone: async ({ hostname, againAt }) => {
      await store.db
        .updateTable('hosts')
        .set({ leave_at: null })
        .where('hostname', '=', hostname)
        .where('leave_at', '=', againAt.getTime())
        .execute()
    },
    endedLeavers: async (limit, onUnreadable) => {
      const now = clock.now().getTime()
      const rows = await store.db
        .selectFrom('hosts')
        .select('hostname')
        .where('left_at', 'is not', null)
        .where('state', '!=', 'retired')
        .where(({ exists, selectFrom }) =>
          exists(
            selectFrom('certificates')
              .select('certificates.id')
              .whereRef('certificates.hostname', '=', 'hosts.hostname')
              .where('certificates.sealed_key', '!=', NOTHING),
          ),
        )
        .where(({ not, exists, selectFrom }) =>
          not(
            exists(
              selectFrom('certificates')
                .select('certificates.id')
                .whereRef('certificates.hostname', '=', 'hosts.hostname')
                .where('certificates.is_current', '=', 1)
                .where('certificates.not_after', '>', now),
            ),
          ),
        )
        .limit(limit)
        .execute()
      return readRows(rows, rowToHostname, onUnreadable)
    },
    longGone: async (before, limit, onUnreadable) => {
      const rows = await store.db
        .selectFrom('hosts')
        .select('hostname')
        .where('left_at', '<', before.getTime())
        .where('state', '!=', 'retired')
        .limit(limit)
        .execute()
      return readRows(rows, rowToHostname, onUnreadable)
    },
  }
}
