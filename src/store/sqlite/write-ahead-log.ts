import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs'

/**
 * Says whether there is a log that SQLite would read: a header that is whole, and something behind
 * it (https://www.sqlite.org/fileformat2.html §4.1). A program killed in its first transaction leaves
 * less, and SQLite, reading through an index it may not write, tries for ten seconds to make sense
 * of it. Frames are left to SQLite.
 */
export function hasLog(path: string): boolean {
  if (!existsSync(path)) return false
  const file = openSync(path, 'r')
  try {
    if (fstatSync(file).size <= HEADER_BYTES) return false
    const header = Buffer.alloc(HEADER_BYTES)
    readSync(file, header, 0, HEADER_BYTES, 0)
    return isWholeHeader(header)
  } finally {
    closeSync(file)
  }
}

function isWholeHeader(header: Buffer): boolean {
  const magic = header.readUInt32BE(0)
  if (magic !== MAGIC_LITTLE_ENDIAN && magic !== MAGIC_BIG_ENDIAN) return false
  const word = (offset: number): number =>
    magic === MAGIC_BIG_ENDIAN ? header.readUInt32BE(offset) : header.readUInt32LE(offset)

  let [first, second] = [0, 0]
  for (let offset = 0; offset < CHECKED_BYTES; offset += 8) {
    first = (first + word(offset) + second) >>> 0
    second = (second + word(offset + 4) + first) >>> 0
  }
  return (
    header.readUInt32BE(CHECKED_BYTES) === first &&
    header.readUInt32BE(CHECKED_BYTES + 4) === second
  )
}

const HEADER_BYTES = 32
/** What the header's own checksum, in its last eight bytes, is made of. */
const CHECKED_BYTES = 24
const MAGIC_LITTLE_ENDIAN = 0x377f0682
const MAGIC_BIG_ENDIAN = 0x377f0683
