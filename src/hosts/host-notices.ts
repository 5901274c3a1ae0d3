import { type Clock, type Hostname, NOTICE_KINDS, type NoticeKind } from '../kernel/index.ts'
import type { Store } from '../store/index.ts'
import { DEFAULT_ACCOUNT } from './host-life.ts'

/** Something that an account is to be told about a host of its own. */
export interface HistoryNotice {
  /** Of the entry in the history: the same notice has the same, however often it is read. */
  readonly id: string
  readonly at: Date
  readonly account: string
  readonly kind: NoticeKind
  readonly hostname: string
  readonly code: string | undefined
  readonly sentence: string
  readonly certificateId: string | undefined
}

/** What is still to be told. Written with what happened, and so neither lost nor invented. */
export interface HostNotices {
  /** Oldest first. One of a kind that only a newer version knows waits for that. */
  untold(limit: number): Promise<readonly HistoryNotice[]>
  /** They have been taken over by whoever tells them. */
  markTold(ids: readonly string[]): Promise<void>
  /** The certificate of which its account was last told that it is served. */
  lastServedNotice(hostname: Hostname): Promise<string | undefined>
}

export function createHostNotices({
  store,
  clock,
}: {
  readonly store: Store
  readonly clock: Clock
}): HostNotices {
  return {
    untold: async (limit) => {
      const rows = await store.db
        .selectFrom('host_history')
        .leftJoin('hosts', 'hosts.hostname', 'host_history.hostname')
        .select([
          ...(['host_history.id', 'host_history.at', 'host_history.hostname'] as const),
          ...(['host_history.notice', 'host_history.code', 'host_history.sentence'] as const),
          'host_history.certificate_id',
          'host_history.account as told_account',
          'hosts.account as holder',
        ])
        .where('host_history.notice', 'in', [...NOTICE_KINDS])
        .where('host_history.notice', 'is not', null)
        .where('host_history.told_at', 'is', null)
        .orderBy('host_history.id')
        .limit(limit)
        .execute()
      return rows.flatMap((row): HistoryNotice[] => {
        const kind = NOTICE_KINDS.find((known) => known === row.notice)
        if (!kind) return []
        const { id, hostname, sentence } = row
        const account = row.told_account ?? row.holder ?? DEFAULT_ACCOUNT
        const code = row.code ?? undefined
        const certificateId = row.certificate_id ?? undefined
        return [
          { id, at: new Date(row.at), account, kind, hostname, code, sentence, certificateId },
        ]
      })
    },
    lastServedNotice: async (hostname) => {
      const row = await store.db
        .selectFrom('host_history')
        .select('certificate_id')
        .where('hostname', '=', hostname)
        .where('notice', 'in', ['issued', 'renewed'])
        .orderBy('id', 'desc')
        .limit(1)
        .executeTakeFirst()
      return row?.certificate_id ?? undefined
    },
    markTold: async (ids) => {
      if (ids.length === 0) return
      await store.db
        .updateTable('host_history')
        .set({ told_at: clock.now().getTime() })
        .where('id', 'in', [...ids])
        .execute()
    },
  }
}
