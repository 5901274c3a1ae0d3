import type { Issuer } from '../acme/index.ts'
import { type Clock, formatDuration, milliseconds, minutes, seconds } from '../kernel/index.ts'
import type { Store } from '../store/index.ts'
import type { HitBacklog } from '../tracking/index.ts'
import type { EdgeFleet } from './fleet/edge-fleet.ts'
import { SHORTAGES } from './fleet/shortages.ts'
import type { MovingHits } from './moving-hits.ts'
import { createStoreProbe, type StoreProbe } from './store-probe.ts'

/** Why the server should not get traffic, or what somebody should know of it, for `/readyz`. */
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
  readonly hits: Pick<MovingHits, 'owed' | 'unstored' | 'refused'>
  readonly clock: Pick<Clock, 'now' | 'sleep'>
}): Health {
  let isStopping = false
  const probe = createStoreProbe(store, clock)
  return {
    live: () => true,
    readiness: async () => {
      const reasons = [
        ...(isStopping ? [STOPPING] : []),
        ...(fleet.count().serving === 0 ? [NO_EDGE] : []),
        ...fleet.troubles(),
        ...(store.halted.aborted ? [STORE_HALTED] : []),
      ]
      // Visitors are served whatever the clock says: a load balancer must not look elsewhere. Nor for
      // too many of them: what one node is relieved of would be too much for the next. Nor while the
      // database is away: edges serve what they know, and all nodes share it, so that there would be
      // no elsewhere.
      const told = [
        ...(store.halted.aborted ? [] : await silenceReasons(probe)),
        ...fleet.remarks(),
        ...fleet.shortages().map((of) => SHORTAGES[of]),
        ...clockReasons(issuer),
        ...backlogReasons(hits.owed(), OWED, clock),
        ...backlogReasons(hits.unstored(), UNSTORED, clock),
        ...(await refusedReasons(hits)),
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
const BACKLOG_TOLD = seconds(10)

interface WhatWaits {
  readonly code: string
  readonly forWhat: string
  readonly fix: string
}

const OWED: WhatWaits = {
  code: 'tracking/hits-owed',
  forWhat: 'the backend',
  fix: 'Bring back the servers named by edge.backend. Links work meanwhile; the hits are sent by themselves.',
}
const UNSTORED: WhatWaits = {
  code: 'tracking/hits-unstored',
  forWhat: 'the store',
  fix: 'Read the log for hits-not-moved, and bring back the store. Links work meanwhile; the hits follow by themselves.',
}

/** Nothing is lost, and visitors notice nothing: somebody should know all the same. */
function backlogReasons(
  { count, oldestAt }: HitBacklog,
  { code, forWhat, fix }: WhatWaits,
  clock: Pick<Clock, 'now'>,
): readonly Unreadiness[] {
  if (!oldestAt || clock.now().getTime() - oldestAt.getTime() < BACKLOG_TOLD) return []
  const sentence = `${count} hits since ${oldestAt.toISOString()} wait for ${forWhat}`
  return [{ code, sentence, fix }]
}

async function refusedReasons(hits: Pick<MovingHits, 'refused'>): Promise<readonly Unreadiness[]> {
  const files = await hits.refused()
  if (files.length === 0) return []
  const [first] = files
  const others = files.length > 1 ? ` and ${files.length - 1} more` : ''
  const sentence = `The backend fails at some hits, which are kept in journal/${first}${others}`
  return [{ code: 'tracking/hits-refused', sentence, fix: REFUSED_FIX }]
}

const REFUSED_FIX =
  'Find in its log why it answers 5xx to them. Then drop .refused from the names of these files to have them sent again, or delete them.'

async function silenceReasons(probe: StoreProbe): Promise<readonly Unreadiness[]> {
  const why = await probe()
  return why === undefined
    ? []
    : [{ ...STORE_SILENT, sentence: `${STORE_SILENT.sentence}: ${why}` }]
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
