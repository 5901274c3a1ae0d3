import type { Issuer } from '../acme/index.ts'
import { type Clock, formatDuration, milliseconds, minutes, seconds } from '../kernel/index.ts'
import type { Store } from '../store/index.ts'
import type { EdgeFleet } from './fleet/edge-fleet.ts'
import { SHORTAGES } from './fleet/shortages.ts'
import type { MovingHits } from './moving-hits.ts'

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
  issuer,
  hits,
  clock,
}: {
  readonly store: Pick<Store, 'db' | 'halted'>
  readonly fleet: Pick<EdgeFleet, 'count' | 'troubles' | 'remarks' | 'shortages'>
  readonly issuer: Pick<Issuer, 'clockSkew'>
  readonly hits: Pick<MovingHits, 'owed'>
  readonly clock: Pick<Clock, 'now'>
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
      // Visitors are served whatever the clock says: a load balancer must not look elsewhere. Nor for
      // too many of them: what one node is relieved of would be too much for the next.
      const told = [
        ...fleet.remarks(),
        ...fleet.shortages().map((of) => SHORTAGES[of]),
        ...clockReasons(issuer),
        ...owedReasons(hits, clock),
      ]
      return { ready: reasons.length === 0, reasons: [...reasons, ...told] }
    },
    stop: () => {
      isStopping = true
    },
  }
}

/** Certificates are judged by the minute; beyond an hour nothing is ordered any more. */
const SKEW_TOLD = minutes(5)

function clockReasons({ clockSkew }: Pick<Issuer, 'clockSkew'>): readonly Unreadiness[] {
  const skew = clockSkew() ?? 0
  if (Math.abs(skew) < SKEW_TOLD) return []
  const much = formatDuration(milliseconds(Math.abs(Math.round(skew / 1000) * 1000)))
  const sentence = `This machine's clock is ${much} ${skew > 0 ? 'ahead of' : 'behind'} the CA's`
  return [{ code: 'postern/clock-wrong', sentence, fix: CLOCK_FIX }]
}

const CLOCK_FIX =
  'Set the clock (NTP). Until then certificates are neither ordered nor renewed; those there are serve.'

/** Shorter, and it is only on its way. */
const OWED_TOLD = seconds(10)

/** Nothing is lost, and visitors notice nothing: somebody should know all the same. */
function owedReasons(
  hits: Pick<MovingHits, 'owed'>,
  clock: Pick<Clock, 'now'>,
): readonly Unreadiness[] {
  const { count, oldestAt } = hits.owed()
  if (!oldestAt || clock.now().getTime() - oldestAt.getTime() < OWED_TOLD) return []
  const sentence = `${count} hits since ${oldestAt.toISOString()} wait for the backend`
  return [{ code: 'tracking/hits-owed', sentence, fix: OWED_FIX }]
}

const OWED_FIX =
  'Bring back the servers named by edge.backend. Links work meanwhile; the hits are sent by themselves.'

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
