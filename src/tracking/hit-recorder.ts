import { type Clock, type Duration, milliseconds, seconds } from '../kernel/index.ts'
import type { TrackingRecord } from '../telemetry/index.ts'
import { TrackingError } from './errors.ts'
import type { Hit } from './hit.ts'
import type { HitJournal } from './hit-journal.ts'

/** Makes hits durable before their visitors are answered. */
export interface HitRecorder extends AsyncDisposable {
  /**
   * Resolves once the hit survives a power cut; or, while the disk takes none, when waiting would
   * keep the visitor from the link. Never rejects: a link does not break because of a count.
   */
  add(hit: Hit): Promise<void>
}

/** Hits in one write: beyond this a larger one is no faster per hit. */
const HITS_PER_WRITE_MAX = 500
/** Hits kept while the disk takes none: minutes of a busy worker's clicks. */
const HITS_WAITING_MAX = 50_000
/** A visitor makes a hit of 20 KB by itself: links and names of programs may be that long. */
const BYTES_WAITING_MAX = 32 * 1024 * 1024
/** Of a hit in memory beside its texts. */
const HIT_OVERHEAD_BYTES = 300
/** How long a visitor waits for a disk that hangs. */
const ANSWER_PATIENCE = seconds(2)
const RETRY_FIRST = milliseconds(500)
/** A look at the disk costs nothing; what waits in memory does not survive a crash. */
const RETRY_LONGEST = seconds(5)
/** At the end: what is still in memory gets this long to become durable. */
const FAREWELL = seconds(5)

/**
 * Groups hits: one write runs at a time, and takes along what has arrived while the one before it
 * ran. That is as fast as any timed wait (measured), and adds none when it is quiet.
 */
export function createHitRecorder({
  journal,
  clock,
  record,
}: {
  readonly journal: Pick<HitJournal, 'append'>
  readonly clock: Clock
  readonly record: TrackingRecord
}): HitRecorder {
  const waiting: WaitingHit[] = []
  const stopping = new AbortController()
  let writing: Promise<void> | undefined
  let failures = 0
  let bytesWaiting = 0

  const writeAll = async (): Promise<void> => {
    // Hits that came in the same turn of the event loop go together.
    await Promise.resolve()
    while (waiting.length > 0) {
      const failure = await write(waiting.slice(0, HITS_PER_WRITE_MAX))
      if (!failure) continue
      noteFailure(failure)
      answerEarly()
      if (stopping.signal.aborted) break
      await nap(retryAfter(failures), stopping.signal)
    }
    writing = undefined
  }
  const write = async (batch: readonly WaitingHit[]): Promise<{ error: unknown } | undefined> => {
    const patience = new AbortController()
    void answerLate(patience.signal)
    try {
      await journal.append(batch.map(({ hit }) => hit))
    } catch (error) {
      return { error }
    } finally {
      patience.abort()
    }
    waiting.splice(0, batch.length)
    for (const { hit } of batch) bytesWaiting -= bytesOf(hit)
    for (const { answer } of batch) answer?.()
    record.hitsJournaled(batch.length)
    record.hitsWaiting(waiting.length)
    if (failures > 0) record.hitsJournaledAgain({ waiting: waiting.length })
    failures = 0
    return undefined
  }
  const noteFailure = (failure: { readonly error: unknown }): void => {
    failures += 1
    // Once: what goes on is in the numbers.
    if (failures === 1) record.hitsNotJournaled({ waiting: waiting.length, ...failure })
  }
  const answerLate = async (signal: AbortSignal): Promise<void> => {
    await nap(ANSWER_PATIENCE, signal)
    if (signal.aborted) return
    const fix = 'Look for a disk that hangs: visitors are not kept from their links meanwhile.'
    const error = new TrackingError('tracking/disk-hangs', 'A write takes too long.', { fix })
    noteFailure({ error })
    answerEarly()
  }
  const answerEarly = (): void => {
    record.hitsWaiting(waiting.length)
    for (const one of waiting) {
      if (!one.answer) continue
      record.hitAnsweredEarly()
      one.answer()
      one.answer = undefined
    }
  }
  const nap = async (span: Duration, signal: AbortSignal): Promise<void> => {
    await clock.sleep(span, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
  }

  return {
    add: (hit) => {
      if (waiting.length >= HITS_WAITING_MAX || bytesWaiting >= BYTES_WAITING_MAX) {
        record.hitLost()
        return DONE
      }
      bytesWaiting += bytesOf(hit)
      writing ??= writeAll()
      if (failures === 0) {
        return new Promise((answer) => waiting.push({ hit, answer }))
      }
      waiting.push({ hit, answer: undefined })
      record.hitAnsweredEarly()
      return DONE
    },
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      const farewell = new AbortController()
      await Promise.race([writing, nap(FAREWELL, farewell.signal)])
      farewell.abort()
      if (waiting.length > 0) record.hitsGivenUp(waiting.length)
    },
  }
}

interface WaitingHit {
  readonly hit: Hit
  /** Lets its visitor go on; gone once that has happened. */
  answer: (() => void) | undefined
}

const DONE = Promise.resolve()

/** Texts that came from visitors have one byte a character. */
function bytesOf({ hostname, reference, target, address, userAgent, owed }: Hit): number {
  const texts = [hostname, reference, target, address, userAgent, owed?.target]
  return texts.reduce((sum, text) => sum + (text?.length ?? 0), HIT_OVERHEAD_BYTES)
}

function retryAfter(failures: number): Duration {
  return milliseconds(Math.min(RETRY_FIRST * 2 ** (failures - 1), RETRY_LONGEST))
}
