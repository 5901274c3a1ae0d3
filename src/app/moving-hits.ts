import { createOwedSender, type EdgeOptions, parseBackend } from '../edge/index.ts'
import type { Clock } from '../kernel/index.ts'
import type { Store } from '../store/index.ts'
import type { EdgeRecord, TrackingRecord } from '../telemetry/index.ts'
import {
  createHitMover,
  type DeliverHits,
  type Hit,
  type HitBacklog,
  hitToRow,
} from '../tracking/index.ts'

/** What the edges of this node have written down, on its way to where it belongs. */
export interface MovingHits extends AsyncDisposable {
  /** Hits that were answered before the call are in the store, if it takes any. */
  catchUp(): Promise<void>
  /** What the operator's backend has not been told yet. */
  owed(): HitBacklog
}

export interface MovingHitsDeps {
  readonly store: Pick<Store, 'hot'>
  readonly clock: Clock
  readonly records: { readonly tracking: TrackingRecord; readonly edge: EdgeRecord }
  readonly journal: string
}

/**
 * Moves hits for as long as the server runs. Disposed after the edges, it moves the last of them.
 */
export function startMovingHits(
  { store, clock, records, journal: directory }: MovingHitsDeps,
  options: Pick<EdgeOptions, 'backend'>,
): MovingHits {
  const running = new AsyncDisposableStack()
  const start = (kind: 'hits' | 'owed', deliver: DeliverHits) =>
    running.use(createHitMover({ clock, record: records.tracking, deliver }, { directory, kind }))
  const intoStore: DeliverHits = async (hits) => {
    await store.hot.appendHits(hits.map(hitToRow))
    return hits.length
  }
  const targets = parseBackend(options.backend)
  const hits = start('hits', intoStore)
  // What was owed to a backend that is configured no more is counted here.
  const owed = start(
    'owed',
    targets === 'embedded' ? intoStore : toBackend(running, records, targets),
  )
  return {
    catchUp: hits.catchUp,
    owed: owed.backlog,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

/** One after the other, and none before the one ahead of it. */
function toBackend(
  running: AsyncDisposableStack,
  { edge: record }: MovingHitsDeps['records'],
  targets: Parameters<typeof createOwedSender>[1],
): DeliverHits {
  const sender = running.use(createOwedSender({ record }, targets))
  return async (hits, signal) => {
    let taken = 0
    for (const hit of hits) {
      if (hit.owed && (await sender.send(toOwedRequest(hit, hit.owed), signal)) !== 'taken') break
      taken += 1
    }
    return taken
  }
}

function toOwedRequest(
  { id, at, hostname, address, userAgent }: Hit,
  { target, scheme, port }: NonNullable<Hit['owed']>,
) {
  return { id, at, hostname, address, userAgent, target, scheme, port }
}
