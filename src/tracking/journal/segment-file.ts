import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { TrackingError } from '../errors.ts'
import { isDiskShort } from './disk-reserve.ts'
import { parseSegmentName } from './segment-name.ts'

/** A segment that one process appends to. */
export interface SegmentFile {
  readonly path: string
  readonly file: FileHandle
  /** Of records that are durable. */
  bytes: number
}

/** 8 GB, or twenty million hits, that nobody has taken: the disk is needed for other things, too. */
const SEGMENTS_MAX = 8192

// O_DSYNC: a write that has returned is durable, as with fdatasync after it, and costs one turn of
// the thread pool instead of two (measured: 0.48 ms and 240 µs of CPU instead of 0.65 and 310).
const APPEND_DURABLY =
  constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_APPEND | constants.O_DSYNC

/** Makes a new segment. Throws 'tracking/journal-full', 'tracking/disk-short', or what the disk says. */
export async function openSegment(path: string): Promise<SegmentFile> {
  const directory = dirname(path)
  await makeDurably(directory)
  await requireRoom(directory)
  const file = await open(path, APPEND_DURABLY, 0o600)
  try {
    await syncDirectory(directory)
  } catch (error) {
    await file.close()
    throw error
  }
  return { path, file, bytes: 0 }
}

/** A disk that fills up may take a part and report no error. */
export async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  let written = 0
  while (written < bytes.length) {
    const { bytesWritten } = await file.write(bytes, written)
    if (bytesWritten === 0) throw new Error('The disk took nothing of what was written')
    written += bytesWritten
  }
}

async function requireRoom(directory: string): Promise<void> {
  const names = await readdir(directory)
  if (names.filter((name) => parseSegmentName(name)).length >= SEGMENTS_MAX) {
    throw new TrackingError('tracking/journal-full', `${directory} has too many files of hits.`, {
      fix: 'Bring back the store or the backend that these hits are for: they are moved there.',
    })
  }
  if (isDiskShort(await statfs(directory))) {
    throw new TrackingError('tracking/disk-short', `The disk of ${directory} is nearly full.`, {
      fix: 'Make room: the last of it is left to the database; hits wait in memory meanwhile.',
    })
  }
}

/** A folder that was made just now must survive a power cut with what is written into it. */
export async function makeDurably(directory: string): Promise<void> {
  const first = await mkdir(directory, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  for (let made = directory; ; made = dirname(made)) {
    await syncDirectory(dirname(made))
    if (made === first || made === dirname(made)) return
  }
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
