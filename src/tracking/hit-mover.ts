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

/** While hits come. Whoever asks for hits has them moved first, however long nobody has looked. */
const ROUND_EVERY = milliseconds(100)
/** A look at a folder where nothing happens costs 2 ms of CPU: ten a second were most of an idle server's. */
const IDLE_PAUSE = seconds(1)
/** After that long without a hit it is idle. */
const IDLE_AFTER = seconds(10)
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
  let running: Promise<void> | undefined
  const pace = createPace(kind, { clock, record })
  const outage = createOutage(kind, { clock, record })
  let backlog: HitBacklog = { count: 0, oldestAt: undefined }

  const progress: Progress = {
    // A destination that hangs is seen from outside, too.
    begun: (hits) => {
      backlog = { count: Math.max(backlog.count, hits.length), oldestAt: hits[0]?.at }
    },
    moved: pace.moved,
  }
  const round = async (signal: AbortSignal): Promise<void> => {
    try {
      await segments.find()
      const outcome = await tryMoving({ segments, deliver, clock, signal }, progress)
      backlog = await segments.backlog()
      record.hitBacklog(kind, backlog)
      if (outcome.kind === 'all') outage.over(backlog)
      else outage.goesOn(backlog, outcome.kind === 'failed' ? { error: outcome.error } : {})
    } catch (error) {
      outage.goesOn(backlog, { error })
    }
  }
  const roundUnlessResting = (signal: AbortSignal): Promise<void> => {
    if (outage.isResting()) return Promise.resolve()
    running ??= round(signal).finally(() => {
      running = undefined
    })
    return running
  }
  const rounds = startPeriodic(
    async (signal) => {
      if (pace.isIdle()) await clock.sleep(IDLE_PAUSE, signal)
      await roundUnlessResting(signal)
    },
    { clock, every: ROUND_EVERY, onError: (error) => outage.goesOn(backlog, { error }) },
  )

  return {
    catchUp: async () => {
      // One under way may have looked before the call.
      await running
      await roundUnlessResting(stopping.signal)
    },
    backlog: () => backlog,
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      await withinFarewell(clock, async (signal) => {
        await rounds[Symbol.asyncDispose]()
        await running
        // The first round claims what nobody writes to any more, the second removes it.
        segments.endAll()
        await round(signal)
        await round(signal)
      })
    },
  }
}

/** When there is something to look for. */
function createPace(
  kind: JournalKind,
  { clock, record }: { readonly clock: Clock; readonly record: MoverRecord },
) {
  let movedAtMs = clock.monotonicMs()
  return {
    moved: (count: number): void => {
      if (count > 0) movedAtMs = clock.monotonicMs()
      record.hitsMoved(kind, count)
    },
    /** For long nothing came. */
    isIdle: (): boolean => clock.monotonicMs() - movedAtMs > IDLE_AFTER,
  }
}

/** While the destination takes none, it is asked less and less often. */
function createOutage(
  kind: JournalKind,
  { clock, record }: { readonly clock: Clock; readonly record: MoverRecord },
) {
  let failures = 0
  let restsUntilMs = Number.NEGATIVE_INFINITY
  return {
    isResting: (): boolean => clock.monotonicMs() < restsUntilMs,
    over: (backlog: HitBacklog): void => {
      if (failures > 0) record.hitsMovedAgain(kind, backlog)
      failures = 0
    },
    goesOn: (backlog: HitBacklog, reason: { readonly error?: unknown }): void => {
      failures += 1
      restsUntilMs = clock.monotonicMs() + retryAfter(failures)
      // Once per outage: what goes on is in the numbers.
      if (failures === 1) record.hitsNotMoved(kind, { ...backlog, ...reason })
    },
  }
}

interface Moving {
  readonly segments: Pick<Segments, 'fronts'>
  readonly deliver: DeliverHits
  readonly clock: Clock
  readonly signal: AbortSignal
}

interface Progress {
  readonly begun: (hits: readonly Hit[]) => void
  readonly moved: (count: number) => void
}

/** What stayed is still counted: whoever is asked why hits do not arrive knows since when. */
async function tryMoving(
  moving: Moving,
  progress: Progress,
): Promise<{ readonly kind: 'all' | 'some' } | { readonly kind: 'failed'; error: unknown }> {
  try {
    return { kind: await move(moving, progress) }
  } catch (error) {
    return { kind: 'failed', error }
  }
}

/** For a round's time: everything, or what the destination takes now. */
async function move(
  { segments, deliver, clock, signal }: Moving,
  progress: Progress,
): Promise<'all' | 'some'> {
  const untilMs = clock.monotonicMs() + ROUND_MS_MAX
  while (clock.monotonicMs() < untilMs && !signal.aborted) {
    const batch = mergeByTime(await segments.fronts(), HITS_PER_DELIVERY_MAX)
    if (batch.hits.length === 0) break
    progress.begun(batch.hits)
    const count = await deliver(batch.hits, signal)
    batch.moved(count)
    progress.moved(count)
    if (count < batch.hits.length) return 'some'
  }
  return 'all'
}

/** A store may hang and hear no signal: the end of the process does not wait for it. */
async function withinFarewell(
  clock: Clock,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const farewell = new AbortController()
  const late = clock.sleep(FAREWELL, farewell.signal).then(
    () => farewell.abort(),
    () => undefined,
  )
  await Promise.race([work(farewell.signal), late])
  farewell.abort()
}

function retryAfter(failures: number): Duration {
  return milliseconds(Math.min(RETRY_FIRST * 2 ** (failures - 1), RETRY_LONGEST))
}
