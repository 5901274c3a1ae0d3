import { existsSync } from 'node:fs'
import { unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, newId, type Random } from '../kernel/index.ts'
import type { TrackingRecord } from '../telemetry/index.ts'
import type { Hit } from './hit.ts'
import { hitToPayload } from './journal/hit-payload.ts'
import { encodeRecords, SEGMENT_HEAD } from './journal/records.ts'
import { openSegment, type SegmentFile, writeAll } from './journal/segment-file.ts'
import { formatSegmentName, type JournalKind, type SegmentName } from './journal/segment-name.ts'

/**
 * Where one process writes its hits down, in files that only it appends to. Whoever reads them
 * (`hit-mover.ts`) takes a file over by renaming it: no lock, and no question whether a process
 * still lives. So the writer looks, after each write, whether the file is still where it was.
 */
export interface HitJournal extends AsyncDisposable {
  /**
   * Resolves once all of them survive a power cut; one call at a time. Throws what the disk says, or
   * 'tracking/journal-full' or 'tracking/disk-short': then some of them may be there, and are told apart by their ids.
   */
  append(hits: readonly Hit[]): Promise<void>
}

type JournalRecord = Pick<TrackingRecord, 'journalSegmentGivenUp'>

/** A reader holds one of each writer in memory; 2,000 hits or so. */
const SEGMENT_BYTES_MAX = 1024 * 1024

export interface HitJournalOptions {
  readonly directory: string
  readonly kind: JournalKind
  /** `refused`: nobody moves these on. */
  readonly state?: Extract<SegmentName['state'], 'open' | 'refused'>
}

export function createHitJournal(
  {
    clock,
    random,
    record,
  }: {
    readonly clock: Clock
    readonly random: Random
    readonly record: JournalRecord
  },
  { directory, kind, state = 'open' }: HitJournalOptions,
): HitJournal {
  const writer = newId({ clock, random })
  let current: SegmentFile | undefined
  let number = 0
  // Said once: a full disk that is looked at every few seconds has no room for a log of it.
  let isFailing = false

  const openNext = async (): Promise<SegmentFile> => {
    number += 1
    const path = join(directory, formatSegmentName({ kind, writer, number, state }))
    return await openSegment(path)
  }
  const leave = async (): Promise<void> => {
    const left = current
    current = undefined
    await left?.file.close().catch((error: unknown) => record.journalSegmentGivenUp({ error }))
  }
  const write = async (bytes: Buffer): Promise<void> => {
    if (current && !isUsable(current)) await leave()
    current ??= await openNext()
    const segment = current
    try {
      const isFirst = segment.bytes === 0
      await writeAll(segment.file, isFirst ? Buffer.concat([SEGMENT_HEAD, bytes]) : bytes)
    } catch (error) {
      // What it holds now is unknown, and stays so: it is not written to again.
      if (!isFailing) record.journalSegmentGivenUp({ error })
      isFailing = true
      await leave()
      if (segment.bytes === 0) await discard(segment.path, record)
      throw error
    }
    segment.bytes += bytes.length
    isFailing = false
    // A reader took it over, and may have read to its end before this write came.
    if (!existsSync(segment.path)) await write(bytes)
  }

  return {
    append: async (hits) => {
      const bytes = encodeRecords(hits.map(hitToPayload))
      try {
        await write(bytes)
      } catch {
        // It has been told. A fault of one file is none of the next; a fault of the disk is thrown from there.
        await write(bytes)
      }
    },
    [Symbol.asyncDispose]: leave,
  }
}

function isUsable({ bytes, path }: SegmentFile): boolean {
  return bytes < SEGMENT_BYTES_MAX && existsSync(path)
}

/** A file with nothing in it that counts; left lying, it would only be read once more. */
async function discard(path: string, record: JournalRecord): Promise<void> {
  await unlink(path).catch((error: unknown) => record.journalSegmentGivenUp({ error }))
}
