import type { Hostname } from '../kernel/index.ts'
import type { Store } from '../store/index.ts'
import { livingNodes } from './nodes.ts'

/** What came of a certificate's rehearsal on the nodes beside this one. */
export interface Rehearsals {
  /** The living nodes beside this one, those that can rehearse. */
  others(): Promise<readonly RehearsingNode[]>
  /** Those that have written how it went. */
  outcomes(hostname: Hostname, certificateId: string): Promise<readonly RehearsalOfNode[]>
  /** Writes down how it went on this node; `undefined`: well. */
  note(hostname: Hostname, certificateId: string, problem: string | undefined): Promise<void>
  /** What was written of this host is of no use any more. */
  forget(hostname: Hostname): Promise<void>
}

export interface RehearsingNode {
  readonly id: string
  /** For people. */
  readonly name: string
}

export interface RehearsalOfNode {
  readonly nodeId: string
  readonly problem: string | undefined
}

export function createRehearsals({
  store,
  nodeId,
}: {
  readonly store: Store
  readonly nodeId: string
}): Rehearsals {
  const { db, nowMs } = store
  return {
    others: async () => {
      const living = await livingNodes(store)
      // One that is too old to say which keys it has is too old to know of rehearsals.
      return living.filter(({ id, keyIds }) => id !== nodeId && keyIds.length > 0)
    },
    outcomes: async (hostname, certificateId) => {
      const rows = await db
        .selectFrom('edge_rehearsals')
        .select(['node_id', 'problem'])
        .where('hostname', '=', hostname)
        .where('certificate_id', '=', certificateId)
        .execute()
      return rows.map(({ node_id, problem }) => ({
        nodeId: node_id,
        problem: problem === '' ? undefined : problem,
      }))
    },
    note: async (hostname, certificateId, problem = '') => {
      const outcome = { certificate_id: certificateId, problem, rehearsed_at: nowMs }
      await db
        .insertInto('edge_rehearsals')
        .values({ hostname, node_id: nodeId, ...outcome })
        .onConflict((conflict) => conflict.columns(['hostname', 'node_id']).doUpdateSet(outcome))
        .execute()
    },
    forget: async (hostname) => {
      await db.deleteFrom('edge_rehearsals').where('hostname', '=', hostname).execute()
    },
  }
}
