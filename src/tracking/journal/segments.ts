import { readdir } from 'node:fs/promises'
import type { Clock, Duration } from '../../kernel/index.ts'
import type { TrackingRecord } from '../../telemetry/index.ts'
import type { Tail } from './records.ts'
import { makeDurably } from './segment-file.ts'
import {
  formatSegmentName,
  type JournalKind,
  parseSegmentName,
  type SegmentName,
} from './segment-name.ts'
import { createSegmentReader, type SegmentReader } from './segment-reader.ts'

/** All segments of one kind in a directory, read in order. */
export interface Segments {
  /** Looks which there are. */
  find(): Promise<void>
  /** Of each writer, the first segment that has something pending. Removes those that are through. */
  fronts(): Promise<readonly SegmentReader[]>
  /** How much is not moved yet. */
  backlog(): Promise<{ readonly count: number; readonly oldestAt: Date | undefined }>
  /** From now on segments that are read to their end are removed at once: nobody writes any more. */
  endAll(): void
}

export type SegmentsRecord = Pick<TrackingRecord, 'journalTailLeft' | 'journalSegmentUnreadable'>

/** Writers whose hits are in memory at once, a megabyte each: the oldest that have any. */
const WRITERS_AT_ONCE_MAX = 64

export interface SegmentsOptions {
  readonly directory: string
  readonly kind: JournalKind
  /** How long a segment is read before its writer is sent to another one. */
  readonly ageMax: Duration
}

export function createSegments(
  { clock, record }: { readonly clock: Clock; readonly record: SegmentsRecord },
  { directory, kind, ageMax }: SegmentsOptions,
): Segments {
  let known: ReadonlyMap<string, Known> = new Map()
  let isEnding = false
  let isMade = false

  const forget = (key: string): void => {
    known = new Map([...known].filter(([other]) => other !== key))
  }
  /** What one file does not do is no reason to leave the others where they are. */
  const attempt = async <T>(segment: Known, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work()
    } catch (error) {
      // Another server on this folder has taken it over, or removed it: the next look finds out.
      if (isGone(error)) forget(segment.key)
      else if (!segment.isTold) record.journalSegmentUnreadable({ segment: segment.key, error })
      segment.isTold = true
      return undefined
    }
  }
  const frontOf = async (segments: readonly Known[]): Promise<SegmentReader | undefined> => {
    for (const [index, segment] of segments.entries()) {
      const isLast = index === segments.length - 1
      const isAged = isEnding || clock.monotonicMs() - segment.sinceMs >= ageMax
      const tail = await attempt(segment, () => readOn(segment.reader, { isLast, isAged }))
      if (tail) forget(segment.key)
      if (tail === 'damaged' || tail === 'short') {
        record.journalTailLeft({ tail, segment: segment.key })
      }
      if (segment.reader.pending.length > 0) return segment.reader
    }
    return undefined
  }
  return {
    find: async () => {
      if (!isMade) await makeDurably(directory)
      isMade = true
      const names = await namesIn(directory, kind)
      known = joined(known, names, { directory, sinceMs: clock.monotonicMs() })
    },
    fronts: async () => {
      const found: SegmentReader[] = []
      for (const segments of byWriter(known.values())) {
        if (found.length === WRITERS_AT_ONCE_MAX) break
        const front = await frontOf(segments)
        if (front) found.push(front)
      }
      return found
    },
    backlog: async () => {
      let count = 0
      for (const segment of known.values()) {
        count += (await attempt(segment, () => segment.reader.backlog())) ?? 0
      }
      return { count, oldestAt: oldestOf(known.values()) }
    },
    endAll: () => {
      isEnding = true
    },
  }
}

/** Says how one ended that is through: nobody writes to it any more, and it was read since. */
async function readOn(
  reader: SegmentReader,
  { isLast, isAged }: { readonly isLast: boolean; readonly isAged: boolean },
): Promise<Tail | undefined> {
  const tail = await reader.fill()
  if (reader.pending.length > 0) return undefined
  if (reader.name.state === 'open' && isLast) {
    // Its writer may have written until that moment: the next look finds what.
    if (isAged || tail === 'damaged') await reader.claim()
    return undefined
  }
  await (tail === 'damaged' ? reader.setAside() : reader.remove())
  return tail
}

/** In the order in which they are read: by writer, oldest first, and then by number. */
async function namesIn(
  directory: string,
  kind: JournalKind,
): Promise<readonly (readonly [key: string, name: SegmentName])[]> {
  const names = (await readdir(directory)).flatMap((text) => parseSegmentName(text) ?? [])
  return names
    .filter((name) => name.kind === kind && (name.state === 'open' || name.state === 'taken'))
    .map((name) => [formatSegmentName({ ...name, state: 'open' }), name] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
}

interface Known {
  /** Sorts by writer, and then by number. */
  readonly key: string
  readonly reader: SegmentReader
  readonly sinceMs: number
  /** That it cannot be read is said once. */
  isTold: boolean
}

function byWriter(sorted: Iterable<Known>): readonly (readonly Known[])[] {
  return [...Map.groupBy(sorted, ({ reader }) => reader.name.writer).values()]
}

function oldestOf(segments: Iterable<Known>): Date | undefined {
  let oldest: Date | undefined
  for (const { reader } of segments) {
    const at = reader.pending[0]?.at
    if (at && (!oldest || at < oldest)) oldest = at
  }
  return oldest
}

/** What is known already goes on where it was. */
function joined(
  known: ReadonlyMap<string, Known>,
  names: Awaited<ReturnType<typeof namesIn>>,
  { directory, sinceMs }: { readonly directory: string; readonly sinceMs: number },
): ReadonlyMap<string, Known> {
  return new Map(
    names.map(([key, name]) => {
      const before = known.get(key)
      // Renamed by somebody else, it is another file: what was moved out of it comes again.
      if (before?.reader.name.state === name.state) return [key, before]
      const reader = createSegmentReader(directory, name)
      return [key, { key, reader, sinceMs, isTold: false }]
    }),
  )
}

function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
