import { type Clock, type Duration, milliseconds, seconds, startPeriodic } from '../kernel/index.ts'
import type { TrackingRecord } from '../telemetry/index.ts'
import type { Hit } from './hit.ts'
import { mergeByTime } from './journal/merge-by-time.ts'
import type { JournalKind } from './journal/segment-name.ts'
import { createSegments, type Segments, type SegmentsRecord } from './journal/segments.ts'

//  <writer>-00000001.hits ┐
//  <writer>-00000002.hits ┼─► oldest first ─► deliver ─► remove what is durable elsewhere
//  <other>-00000001.hits  ┘
//
// Reads what processes wrote, also those that are dead: a file says nothing of whether its writer
// lives, and need not. One that has been read to its end is renamed; its writer notices and goes on
// in another one; then it is read to its end once more, and removed.

/** Moves hits out of the journals of one directory, at least once each. */
export interface HitMover extends AsyncDisposable {
  /** What was journaled before the call has been moved, if it could be. */
  catchUp(): Promise<void>
  /** What is still to be moved, as of the last round. */
  backlog(): HitBacklog
}

export interface HitBacklog {
  readonly count: number
  readonly oldestAt: Date | undefined
}

/**
 * Takes hits, oldest first, and says how many from the front are durable there now; fewer than all
 * means: not now. MAY be given a hit again.
 */
export type DeliverHits = (hits: readonly Hit[], signal: AbortSignal) => Promise<number>

export interface HitMoverOptions {
  readonly directory: string
  readonly kind: JournalKind
}

type MoverRecord = SegmentsRecord &
  Pick<TrackingRecord, 'hitsMoved' | 'hitsNotMoved' | 'hitsMovedAgain' | 'hitBacklog'>

/** Who clicks and then looks finds the click. */
const ROUND_EVERY = milliseconds(100)
/** After that a round counts what is left, and begins anew. */
const ROUND_MS_MAX = 1000
/** One transaction of the store. */
const HITS_PER_DELIVERY_MAX = 500
/** How long a segment is read before its writer is sent to another: after a kill, what is in it comes again. */
const SEGMENT_AGE_MAX = seconds(5)
const RETRY_FIRST = milliseconds(250)
/** That a backend is back is noticed after this at the latest. */
const RETRY_LONGEST = seconds(2)
/** At the end: what is still there is moved by the next start. */
const FAREWELL = seconds(3)

export function createHitMover(
  {
    deliver,
    clock,
    record,
  }: { readonly deliver: DeliverHits; readonly clock: Clock; readonly record: MoverRecord },
  { directory, kind }: HitMoverOptions,
): HitMover {
  const segments = createSegments({ clock, record }, { directory, kind, ageMax: SEGMENT_AGE_MAX })
  const stopping = new AbortController()
  let failures = 0
  let restsUntilMs = Number.NEGATIVE_INFINITY
  let running: Promise<void> | undefined
  let backlog: HitBacklog = { count: 0, oldestAt: undefined }

  const succeeded = (): void => {
    if (failures > 0) record.hitsMovedAgain(kind, backlog)
    failures = 0
  }
  const failed = (reason: { readonly error?: unknown }): void => {
    failures += 1
    restsUntilMs = clock.monotonicMs() + retryAfter(failures)
    // Once per outage: what goes on is in the numbers.
    if (failures === 1) record.hitsNotMoved(kind, { ...backlog, ...reason })
  }
  const round = async (signal: AbortSignal): Promise<void> => {
    try {
      await segments.find()
      const moved = await move({ segments, deliver, clock, signal }, (count) =>
        record.hitsMoved(kind, count),
      )
      backlog = await segments.backlog()
      record.hitBacklog(kind, backlog)
      if (moved === 'all') succeeded()
      else failed({})
    } catch (error) {
      failed({ error })
    }
  }
  const roundUnlessResting = (signal: AbortSignal): Promise<void> => {
    if (clock.monotonicMs() < restsUntilMs) return Promise.resolve()
    running ??= round(signal).finally(() => {
      running = undefined
    })
    return running
  }
  const rounds = startPeriodic(roundUnlessResting, {
    clock,
    every: ROUND_EVERY,
    onError: (error) => failed({ error }),
  })

  return {
    catchUp: async () => {
      // One under way may have looked before the call.
      await running
      await roundUnlessResting(stopping.signal)
    },
    backlog: () => backlog,
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      await rounds[Symbol.asyncDispose]()
      await running
      await moveTheRest(segments, round, clock)
    },
  }
}

interface Moving {
  readonly segments: Pick<Segments, 'fronts'>
  readonly deliver: DeliverHits
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** For a round's time: everything, or what the destination takes now. */
async function move(
  { segments, deliver, clock, signal }: Moving,
  told: (count: number) => void,
): Promise<'all' | 'some'> {
  const untilMs = clock.monotonicMs() + ROUND_MS_MAX
  while (clock.monotonicMs() < untilMs && !signal.aborted) {
    const batch = mergeByTime(await segments.fronts(), HITS_PER_DELIVERY_MAX)
    if (batch.hits.length === 0) break
    const count = await deliver(batch.hits, signal)
    batch.moved(count)
    told(count)
    if (count < batch.hits.length) return 'some'
  }
  return 'all'
}

/** Twice: the first round claims what nobody writes to any more, the second removes it. */
async function moveTheRest(
  segments: Pick<Segments, 'endAll'>,
  round: (signal: AbortSignal) => Promise<void>,
  clock: Clock,
): Promise<void> {
  const farewell = new AbortController()
  const late = clock.sleep(FAREWELL, farewell.signal).then(
    () => farewell.abort(),
    () => undefined,
  )
  segments.endAll()
  await round(farewell.signal)
  await round(farewell.signal)
  farewell.abort()
  await late
}

function retryAfter(failures: number): Duration {
  return milliseconds(Math.min(RETRY_FIRST * 2 ** (failures - 1), RETRY_LONGEST))
}
