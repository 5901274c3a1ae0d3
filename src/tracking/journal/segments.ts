import { mkdir, readdir } from 'node:fs/promises'
import type { Clock, Duration } from '../../kernel/index.ts'
import type { TrackingRecord } from '../../telemetry/index.ts'
import type { Tail } from './records.ts'
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

export type SegmentsRecord = Pick<TrackingRecord, 'journalTailLeft'>

/** Writers whose segments are in memory at once, a megabyte each: the oldest, dead ones included. */
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

  const frontOf = async (segments: readonly Known[]): Promise<SegmentReader | undefined> => {
    for (const [index, segment] of segments.entries()) {
      const tail = await segment.reader.fill()
      if (segment.reader.pending.length > 0) return segment.reader
      const isLast = index === segments.length - 1
      if (segment.reader.name.state === 'open' && isLast) await claim(segment, tail)
      else await retire(segment, tail)
    }
    return undefined
  }
  /** Its writer may have written until that moment: the next look finds what. */
  const claim = async ({ reader, sinceMs }: Known, tail: Tail): Promise<void> => {
    const isAged = isEnding || clock.monotonicMs() - sinceMs >= ageMax
    if (isAged || tail === 'damaged') await reader.claim()
  }
  /** Nobody writes to it any more, and it was read to its last whole record since. */
  const retire = async ({ reader, key }: Known, tail: Tail): Promise<void> => {
    if (tail !== 'none') record.journalTailLeft({ tail, segment: key })
    await (tail === 'damaged' ? reader.setAside() : reader.remove())
    known = new Map([...known].filter(([other]) => other !== key))
  }

  return {
    find: async () => {
      if (!isMade) await mkdir(directory, { recursive: true, mode: 0o700 })
      isMade = true
      const found = await namesIn(directory, kind)
      known = new Map(
        found.map(([key, name]) => {
          const reader = () => createSegmentReader(directory, name)
          return [key, known.get(key) ?? { key, reader: reader(), sinceMs: clock.monotonicMs() }]
        }),
      )
    },
    fronts: async () => {
      const found: SegmentReader[] = []
      for (const segments of byWriter(known.values()).slice(0, WRITERS_AT_ONCE_MAX)) {
        const front = await frontOf(segments)
        if (front) found.push(front)
      }
      return found
    },
    backlog: () => backlogOf(known.values()),
    endAll: () => {
      isEnding = true
    },
  }
}

/** In the order in which they are read: by writer, oldest first, and then by number. */
async function namesIn(
  directory: string,
  kind: JournalKind,
): Promise<readonly (readonly [key: string, name: SegmentName])[]> {
  const names = (await readdir(directory)).flatMap((text) => parseSegmentName(text) ?? [])
  return names
    .filter((name) => name.kind === kind && name.state !== 'damaged')
    .map((name) => [formatSegmentName({ ...name, state: 'open' }), name] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
}

async function backlogOf(segments: Iterable<Known>): ReturnType<Segments['backlog']> {
  let count = 0
  let oldestAtMs = Number.POSITIVE_INFINITY
  for (const { reader } of segments) {
    count += await reader.backlog()
    oldestAtMs = Math.min(oldestAtMs, reader.pending[0]?.at.getTime() ?? oldestAtMs)
  }
  return { count, oldestAt: Number.isFinite(oldestAtMs) ? new Date(oldestAtMs) : undefined }
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
