import { constants, existsSync } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, newId, type Random } from '../kernel/index.ts'
import type { TrackingRecord } from '../telemetry/index.ts'
import { TrackingError } from './errors.ts'
import type { Hit } from './hit.ts'
import { hitToPayload } from './journal/hit-payload.ts'
import { encodeRecords, SEGMENT_HEAD } from './journal/records.ts'
import { formatSegmentName, type JournalKind, parseSegmentName } from './journal/segment-name.ts'

/**
 * Where one process writes its hits down, in files that only it appends to. Whoever reads them
 * (`hit-mover.ts`) takes a file over by renaming it: no lock, and no question whether a process
 * still lives. So the writer looks, after each write, whether the file is still where it was.
 */
export interface HitJournal extends AsyncDisposable {
  /**
   * Resolves once all of them survive a power cut; one call at a time. Throws what the disk says, or
   * 'tracking/journal-full': then some of them may be there, and are told apart by their ids.
   */
  append(hits: readonly Hit[]): Promise<void>
}

type JournalRecord = Pick<TrackingRecord, 'journalSegmentGivenUp'>

/** A reader holds one of each writer in memory; 2,000 hits or so. */
const SEGMENT_BYTES_MAX = 1024 * 1024
/** 8 GB, or twenty million hits, that nobody has taken: the disk is needed for other things, too. */
const SEGMENTS_MAX = 8192

// O_DSYNC: a write that has returned is durable, as with fdatasync after it, and costs one turn of
// the thread pool instead of two (measured: 0.48 ms and 240 µs of CPU instead of 0.65 and 310).
const APPEND_DURABLY =
  constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_APPEND | constants.O_DSYNC

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
  { directory, kind }: { readonly directory: string; readonly kind: JournalKind },
): HitJournal {
  const writer = newId({ clock, random })
  let current: Segment | undefined
  let number = 0
  // Said once: a full disk that is looked at every few seconds has no room for a log of it.
  let isFailing = false

  const openNext = async (): Promise<Segment> => {
    number += 1
    const path = join(directory, formatSegmentName({ kind, writer, number, state: 'open' }))
    return await openSegment(path, directory)
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
        // A fault of one file is none of the next; a fault of the disk is thrown from there.
        await write(bytes)
      }
    },
    [Symbol.asyncDispose]: leave,
  }
}

function isUsable({ bytes, path }: Segment): boolean {
  return bytes < SEGMENT_BYTES_MAX && existsSync(path)
}

interface Segment {
  readonly path: string
  readonly file: FileHandle
  /** Of records that are durable. */
  bytes: number
}

async function openSegment(path: string, directory: string): Promise<Segment> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const names = await readdir(directory)
  if (names.filter((name) => parseSegmentName(name)).length >= SEGMENTS_MAX) {
    throw new TrackingError('tracking/journal-full', `${directory} has too many files of hits.`, {
      fix: 'Bring back the store or the backend that these hits are for: they are moved there.',
    })
  }
  const file = await open(path, APPEND_DURABLY, 0o600)
  try {
    await syncDirectory(directory)
  } catch (error) {
    await file.close()
    throw error
  }
  return { path, file, bytes: 0 }
}

/** The name must survive a power cut as well as the bytes. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** A disk that fills up may take a part and report no error. */
async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  let written = 0
  while (written < bytes.length) {
    const { bytesWritten } = await file.write(bytes, written)
    if (bytesWritten === 0) throw new Error('The disk took nothing of what was written')
    written += bytesWritten
  }
}

/** A file with nothing in it that counts; left lying, it would only be read once more. */
async function discard(path: string, record: JournalRecord): Promise<void> {
  await unlink(path).catch((error: unknown) => record.journalSegmentGivenUp({ error }))
}
