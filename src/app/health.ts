import type { Store } from '../store/index.ts'
import type { EdgeFleet } from './fleet/edge-fleet.ts'

/** Why the server should not get traffic, for `/readyz`. */
export interface Unreadiness {
  readonly code: string
  readonly sentence: string
  readonly fix: string
}

export interface Health {
  live(): boolean
  readiness(): Promise<{ readonly ready: boolean; readonly reasons: readonly Unreadiness[] }>
  /** From now on not ready: load balancers should look elsewhere. */
  stop(): void
}

/** Judges readiness each time it is asked: nothing here can go stale. */
export function createHealth({
  store,
  fleet,
}: {
  readonly store: Pick<Store, 'db' | 'halted'>
  readonly fleet: Pick<EdgeFleet, 'count' | 'troubles'>
}): Health {
  let isStopping = false
  return {
    live: () => true,
    readiness: async () => {
      const reasons = [
        ...(isStopping ? [STOPPING] : []),
        ...(fleet.count().serving === 0 ? [NO_EDGE] : []),
        ...fleet.troubles(),
        ...(store.halted.aborted ? [STORE_HALTED] : await storeReasons(store)),
      ]
      return { ready: reasons.length === 0, reasons }
    },
    stop: () => {
      isStopping = true
    },
  }
}

async function storeReasons(store: Pick<Store, 'db'>): Promise<readonly Unreadiness[]> {
  try {
    await store.db.selectFrom('schema_migrations').select('version').limit(1).execute()
    return []
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return [{ ...STORE_SILENT, sentence: `${STORE_SILENT.sentence}: ${why}` }]
  }
}

const STOPPING = {
  code: 'app/stopping',
  sentence: 'The server is finishing its connections and will end',
  fix: 'Send traffic to another node.',
}
const NO_EDGE = {
  code: 'edge/no-worker',
  sentence: 'No edge worker is serving',
  fix: 'Read the log lines of the process "edge"; workers are started again by themselves.',
}
/** Visitors are served from what can still be read; nothing new is promised any more. */
const STORE_HALTED = {
  code: 'store/halted',
  sentence: 'The store failed to write durably and takes no more writes',
  fix: 'Make sure that the disk is sound and has room, then restart this server.',
}
const STORE_SILENT = {
  code: 'store/unreachable',
  sentence: 'The store does not answer',
  fix: 'Check the database named by store.url; known hosts keep being served meanwhile.',
}
