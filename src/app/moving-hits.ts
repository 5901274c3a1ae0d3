import type { Clock } from '../kernel/index.ts'
import type { Store } from '../store/index.ts'
import type { TrackingRecord } from '../telemetry/index.ts'
import { createHitMover, type DeliverHits, hitToRow } from '../tracking/index.ts'

/** What the edges of this node have written down, on its way to where it belongs. */
export interface MovingHits extends AsyncDisposable {
  /** Hits that were answered before the call are in the store, if it takes any. */
  catchUp(): Promise<void>
}

/**
 * Moves hits for as long as the server runs. Disposed after the edges, it moves the last of them.
 */
export function startMovingHits({
  store,
  clock,
  record,
  journal: directory,
}: {
  readonly store: Pick<Store, 'hot'>
  readonly clock: Clock
  readonly record: TrackingRecord
  readonly journal: string
}): MovingHits {
  const intoStore: DeliverHits = async (hits) => {
    await store.hot.appendHits(hits.map(hitToRow))
    return hits.length
  }
  const hits = createHitMover({ clock, record, deliver: intoStore }, { directory, kind: 'hits' })
  return {
    catchUp: hits.catchUp,
    [Symbol.asyncDispose]: () => hits[Symbol.asyncDispose](),
  }
}
