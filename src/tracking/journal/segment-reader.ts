import { constants } from 'node:fs'
import { type FileHandle, open, rename, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Hit } from '../hit.ts'
import { payloadToHit } from './hit-payload.ts'
import { countRecords, PAYLOAD_BYTES_MAX, readRecords, SEGMENT_HEAD, type Tail } from './records.ts'
import { formatSegmentName, type SegmentName } from './segment-name.ts'

/** One segment, read from the front while it may still grow. Forgets where it was with the process. */
export interface SegmentReader {
  readonly name: SegmentName
  /** Hits that were read and are not moved yet. */
  readonly pending: readonly Hit[]
  /** Reads on if nothing is pending; says what follows the last whole record. */
  fill(): Promise<Tail>
  /** The first `count` pending hits are durable elsewhere. */
  moved(count: number): void
  /** How many are not moved yet: also those that were not read, which are counted on the way. */
  backlog(): Promise<number>
  /** Makes its writer go on in another one. */
  claim(): Promise<void>
  /** Keeps it for people, out of everybody's way. */
  setAside(): Promise<void>
  /** Everything in it is durable elsewhere. */
  remove(): Promise<void>
}

/** Read at once: some 600 hits, and the longest record fits. */
const CHUNK_BYTES = 4 * PAYLOAD_BYTES_MAX

export function createSegmentReader(directory: string, found: SegmentName): SegmentReader {
  let name = found
  let pending: readonly Hit[] = []
  let readTo = 0
  let movedCount = 0
  let counted = { count: 0, to: SEGMENT_HEAD.length }
  // What follows damage is counted once, and not in each round.
  let countedAtSize = 0
  const pathOf = (which: SegmentName): string => join(directory, formatSegmentName(which))
  const renameTo = async (state: SegmentName['state']): Promise<void> => {
    const next = { ...name, state }
    await rename(pathOf(name), pathOf(next))
    name = next
  }

  const fill = async (): Promise<Tail> => {
    if ((await stat(pathOf(name))).size === readTo) return 'none'
    let bytes = await readFrom(pathOf(name), readTo, CHUNK_BYTES)
    if (readTo === 0) {
      const head = SEGMENT_HEAD.length
      if (bytes.length < head) return bytes.length === 0 ? 'none' : 'short'
      if (!bytes.subarray(0, head).equals(SEGMENT_HEAD)) return 'damaged'
      readTo = head
      bytes = bytes.subarray(head)
    }
    return take(readRecords(bytes))
  }
  const take = ({ records, tail }: ReturnType<typeof readRecords>): Tail => {
    const hits = records.map(({ payload }) => payloadToHit(payload))
    const unreadable = hits.indexOf(undefined)
    const whole = unreadable < 0 ? records.length : unreadable
    pending = hits.slice(0, whole).filter((hit) => hit !== undefined)
    readTo += records[whole - 1]?.end ?? 0
    if (counted.to < readTo) counted = { count: movedCount + whole, to: readTo }
    return unreadable < 0 ? tail : 'damaged'
  }

  return {
    get name() {
      return name
    },
    get pending() {
      return pending
    },
    fill: async () => (pending.length > 0 ? 'none' : await fill()),
    moved: (count) => {
      pending = pending.slice(count)
      movedCount += count
    },
    backlog: async () => {
      const { size } = await stat(pathOf(name))
      if (size > counted.to && size !== countedAtSize) {
        countedAtSize = size
        const more = countRecords(await readFrom(pathOf(name), counted.to, size - counted.to))
        counted = { count: counted.count + more.count, to: counted.to + more.end }
      }
      return counted.count - movedCount
    },
    claim: () => renameTo('taken'),
    setAside: () => renameTo('damaged'),
    remove: () => unlink(pathOf(name)),
  }
}

async function readFrom(path: string, position: number, bytesMax: number): Promise<Buffer> {
  const file: FileHandle = await open(path, constants.O_RDONLY)
  try {
    const buffer = Buffer.allocUnsafe(bytesMax)
    const { bytesRead } = await file.read(buffer, 0, bytesMax, position)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}
