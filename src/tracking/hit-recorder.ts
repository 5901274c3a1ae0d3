import { type Clock, type Duration, milliseconds, seconds } from '../kernel/index.ts'
import type { HotPaths } from '../store/index.ts'
import type { TrackingRecord } from '../telemetry/index.ts'
import { type Hit, hitToRow } from './hit.ts'

/** Makes hits durable before their visitors are answered. */
export interface HitRecorder extends AsyncDisposable {
  /**
   * Resolves once the hit survives a power cut; or, while the store is away, when waiting would
   * keep the visitor from the link. Never rejects: a link does not break because of a count.
   */
  add(hit: Hit): Promise<void>
}

/** Hits in one transaction: beyond this a larger one is no faster per hit. */
const HITS_PER_WRITE_MAX = 500
/** Hits kept while the store is away: some 20 MB, and minutes of a busy worker's clicks. */
const HITS_WAITING_MAX = 50_000
/** How long a visitor waits for a store that hangs. */
const ANSWER_PATIENCE = seconds(2)
const RETRY_FIRST = milliseconds(500)
const RETRY_LONGEST = seconds(30)
/** At the end: what is still in memory gets this long to become durable. */
const FAREWELL = seconds(5)

/**
 * Groups hits: one write runs at a time, and takes along what has arrived while the one before it
 * ran. That is as fast as any timed wait (measured), and adds none when it is quiet.
 */
export function createHitRecorder({
  hot,
  clock,
  record,
}: {
  readonly hot: Pick<HotPaths, 'appendHits'>
  readonly clock: Clock
  readonly record: TrackingRecord
}): HitRecorder {
  const waiting: Hit[] = []
  const visitors = new Map<Hit, PromiseWithResolvers<void>>()
  const stopping = new AbortController()
  let writing: Promise<void> | undefined
  let failures = 0
  let isLate = false

  const add = async (hit: Hit): Promise<void> => {
    if (waiting.length >= HITS_WAITING_MAX) {
      record.hitLost()
      return
    }
    waiting.push(hit)
    record.hitsWaiting(waiting.length)
    writing ??= writeAll()
    if (failures > 0 || isLate) {
      record.hitAnsweredEarly()
      return
    }
    const visitor = Promise.withResolvers<void>()
    visitors.set(hit, visitor)
    await visitor.promise
  }
  const writeAll = async (): Promise<void> => {
    // Hits that came in the same turn of the event loop go together.
    await Promise.resolve()
    while (waiting.length > 0) {
      const failure = await write(waiting.slice(0, HITS_PER_WRITE_MAX))
      if (!failure) continue
      failures += 1
      record.hitsNotStored({ waiting: waiting.length, ...failure })
      answerEarly()
      if (stopping.signal.aborted) break
      await nap(retryAfter(failures), stopping.signal)
    }
    writing = undefined
  }
  const write = async (batch: readonly Hit[]): Promise<{ error: unknown } | undefined> => {
    const patience = new AbortController()
    void answerLate(patience.signal)
    try {
      await hot.appendHits(batch.map(hitToRow))
    } catch (error) {
      return { error }
    } finally {
      patience.abort()
      isLate = false
    }
    waiting.splice(0, batch.length)
    for (const hit of batch) {
      visitors.get(hit)?.resolve()
      visitors.delete(hit)
    }
    record.hitsStored(batch.length)
    record.hitsWaiting(waiting.length)
    if (failures > 0) record.hitsStoredAgain({ waiting: waiting.length })
    failures = 0
    return undefined
  }
  const answerLate = async (signal: AbortSignal): Promise<void> => {
    await nap(ANSWER_PATIENCE, signal)
    if (signal.aborted) return
    isLate = true
    answerEarly()
  }
  const answerEarly = (): void => {
    for (const visitor of visitors.values()) {
      record.hitAnsweredEarly()
      visitor.resolve()
    }
    visitors.clear()
  }
  const nap = async (span: Duration, signal: AbortSignal): Promise<void> => {
    await clock.sleep(span, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
  }

  return {
    add,
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      const farewell = new AbortController()
      await Promise.race([writing, nap(FAREWELL, farewell.signal)])
      farewell.abort()
      if (waiting.length > 0) record.hitsGivenUp(waiting.length)
    },
  }
}

function retryAfter(failures: number): Duration {
  return milliseconds(Math.min(RETRY_FIRST * 2 ** (failures - 1), RETRY_LONGEST))
}
