import { type Hostname, parseHostname } from '../kernel/index.ts'
import type { Store } from '../store/index.ts'

/** Which hosts people came to last. */
export interface RecentVisits {
  /** The latest first, to the day. Only what the edge answers for. */
  latest(limit: number): Promise<readonly Hostname[]>
}

export function createRecentVisits({ store }: { readonly store: Pick<Store, 'db'> }): RecentVisits {
  return {
    latest: async (limit) => {
      const rows = await store.db
        .selectFrom('hosts')
        .select('hostname')
        .where('visited_at', 'is not', null)
        .where('state', '<>', 'retired')
        .where('claim_token', 'is', null)
        .orderBy('visited_at', 'desc')
        .limit(limit)
        .execute()
      return rows.flatMap(({ hostname }) => parseHostname(hostname) ?? [])
    },
  }
}
