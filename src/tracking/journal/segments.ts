import { mkdir, readdir } from 'node:fs/promises'
import type { Clock, Duration } from '../../kernel/index.ts'
import type { TrackingRecord } from '../../telemetry/index.ts'
import type { Tail } from './records.ts'
import { type JournalKind, parseSegmentName } from './segment-name.ts'
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

export type SegmentsRecord = Pick<TrackingRecord, 'journalTailLeft'>

/** Writers whose segments are in memory at once, a megabyte each: the oldest, dead ones included. */
const WRITERS_AT_ONCE_MAX = 64

export function createSegments(
  { clock, record }: { readonly clock: Clock; readonly record: SegmentsRecord },
  {
    directory,
    kind,
    ageMax,
  }: { readonly directory: string; readonly kind: JournalKind; readonly ageMax: Duration },
): Segments {
  let known: ReadonlyMap<string, Known> = new Map()
  let isEnding = false
  let isMade = false

  const fronts = async (): Promise<readonly SegmentReader[]> => {
    const found: SegmentReader[] = []
    for (const segments of byWriter(known.values()).slice(0, WRITERS_AT_ONCE_MAX)) {
      const front = await frontOf(segments)
      if (front) found.push(front)
    }
    return found
  }
  const frontOf = async (segments: readonly Known[]): Promise<SegmentReader | undefined> => {
    for (const [index, segment] of segments.entries()) {
      const tail = await segment.reader.fill()
      if (segment.reader.pending.length === 0) {
        await retire(segment, { tail, isLast: index === segments.length - 1 })
      }
      if (segment.reader.pending.length > 0) return segment.reader
    }
    return undefined
  }
  /** Nothing is pending: what comes after the last whole record decides, and who might go on. */
  const retire = async (
    { reader, key, sinceMs }: Known,
    { tail, isLast }: { readonly tail: Tail; readonly isLast: boolean },
  ): Promise<void> => {
    const isAged = isEnding || clock.monotonicMs() - sinceMs >= ageMax
    if (reader.name.state === 'open' && isLast) {
      // Its writer may have written until that moment; the next look finds what.
      if (isAged || tail === 'damaged') await reader.claim()
      return
    }
    if (tail !== 'none') record.journalTailLeft({ tail, segment: key })
    await (tail === 'damaged' ? reader.setAside() : reader.remove())
    known = new Map([...known].filter(([other]) => other !== key))
  }

  return {
    find: async () => {
      if (!isMade) await mkdir(directory, { recursive: true, mode: 0o700 })
      isMade = true
      const names = (await readdir(directory)).flatMap((text) => parseSegmentName(text) ?? [])
      const ours = names.filter((name) => name.kind === kind && name.state !== 'damaged')
      const entries = ours.map((name): [string, Known] => {
        const key = `${name.writer}-${String(name.number).padStart(8, '0')}`
        const reader = known.get(key)?.reader ?? createSegmentReader(directory, name)
        return [key, known.get(key) ?? { key, reader, sinceMs: clock.monotonicMs() }]
      })
      known = new Map(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
    },
    fronts,
    backlog: async () => {
      let count = 0
      let oldestAtMs = Number.POSITIVE_INFINITY
      for (const { reader } of known.values()) {
        count += await reader.backlog()
        oldestAtMs = Math.min(oldestAtMs, reader.pending[0]?.at.getTime() ?? oldestAtMs)
      }
      return { count, oldestAt: Number.isFinite(oldestAtMs) ? new Date(oldestAtMs) : undefined }
    },
    endAll: () => {
      isEnding = true
    },
  }
}

interface Known {
  /** Sorts by writer, and then by number. */
  readonly key: string
  readonly reader: SegmentReader
  readonly sinceMs: number
}

function byWriter(sorted: Iterable<Known>): readonly (readonly Known[])[] {
  return [...Map.groupBy(sorted, ({ reader }) => reader.name.writer).values()]
}
