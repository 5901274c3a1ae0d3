import { createOwedSender, type EdgeOptions, parseBackend } from '../edge/index.ts'
import type { Clock, Random } from '../kernel/index.ts'
import type { Store } from '../store/index.ts'
import type { EdgeRecord, TrackingRecord } from '../telemetry/index.ts'
import {
  createHitJournal,
  createHitMover,
  createOneByOne,
  type DeliverHits,
  findRefusedHits,
  type Hit,
  type HitBacklog,
  hitToRow,
} from '../tracking/index.ts'

/** What the edges of this node have written down, on its way to where it belongs. */
export interface MovingHits extends AsyncDisposable {
  /** Hits that were answered before the call are in the store, if it takes any. */
  catchUp(): Promise<void>
  /** What is not in the store yet. */
  unstored(): HitBacklog
  /** What the operator's backend has not been told yet. */
  owed(): HitBacklog
  /** Files of hits that the backend does not take, and that nobody sends any more. */
  refused(): Promise<readonly string[]>
}

export interface MovingHitsDeps {
  readonly store: { readonly hot: Pick<Store['hot'], 'appendHits'> }
  readonly clock: Clock
  readonly random: Random
  readonly records: { readonly tracking: TrackingRecord; readonly edge: EdgeRecord }
  readonly journal: string
}

/**
 * Moves hits for as long as the server runs. Disposed after the edges, it moves the last of them.
 */
export function startMovingHits(
  deps: MovingHitsDeps,
  options: Pick<EdgeOptions, 'backend'>,
): MovingHits {
  const { store, clock, records, journal: directory } = deps
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
  const owed = start('owed', targets === 'embedded' ? intoStore : toBackend(running, deps, targets))
  return {
    catchUp: hits.catchUp,
    unstored: hits.backlog,
    owed: owed.backlog,
    refused: () => findRefusedHits(directory),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

function toBackend(
  running: AsyncDisposableStack,
  { clock, random, records, journal: directory }: MovingHitsDeps,
  targets: Parameters<typeof createOwedSender>[1],
): DeliverHits {
  const { edge, tracking: record } = records
  const sender = running.use(createOwedSender({ record: edge }, targets))
  const aside = running.use(
    createHitJournal({ clock, random, record }, { directory, kind: 'owed', state: 'refused' }),
  )
  return createOneByOne({
    record,
    send: async (hit, signal) =>
      hit.owed ? await sender.send(toOwedRequest(hit, hit.owed), signal) : 'taken',
    setAside: (hit) => aside.append([hit]),
  })
}

function toOwedRequest(
  { id, at, hostname, address, userAgent }: Hit,
  { target, scheme, port }: NonNullable<Hit['owed']>,
) {
  return { id, at, hostname, address, userAgent, target, scheme, port }
}
