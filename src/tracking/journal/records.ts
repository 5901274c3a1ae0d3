import { crc32 } from 'node:zlib'

//  segment  16 bytes that say what this is, then records
//  record   ┌ CRC-32 (4) ┬ length (4) ┬ payload (length) ┐   numbers big-endian
//           the CRC covers length and payload: a hole full of zeros is no record
//
// certs-store/README.md has the table. A process may die, or a disk fill up, anywhere in a record:
// what comes back is every whole record from the front, and how the rest looks.

/** What every segment starts with: for people who look into one, and for a later format. */
export const SEGMENT_HEAD = Buffer.from('postern hits 1\r\n')

/** A target of 2,000 bytes twice, a request's target, and a user agent, as JSON: with room. */
export const PAYLOAD_BYTES_MAX = 64 * 1024

const FRAME_BYTES = 8

/** Writes payloads as records, in one buffer: one write makes the whole group durable. */
export function encodeRecords(payloads: readonly string[]): Buffer {
  let size = 0
  const lengths = payloads.map((payload) => {
    const length = Buffer.byteLength(payload)
    size += FRAME_BYTES + length
    return length
  })
  const bytes = Buffer.allocUnsafe(size)
  let at = 0
  for (const [index, payload] of payloads.entries()) {
    const end = at + FRAME_BYTES + (lengths[index] ?? 0)
    bytes.writeUInt32BE(end - at - FRAME_BYTES, at + 4)
    bytes.write(payload, at + FRAME_BYTES)
    bytes.writeUInt32BE(crc32(bytes.subarray(at + 4, end)), at)
    at = end
  }
  return bytes
}

export interface ReadRecord {
  readonly payload: string
  /** Bytes read so far, this record included. */
  readonly end: number
}

/** How the bytes go on after the last whole record. */
export type Tail =
  /** They end with it. */
  | 'none'
  /** With the beginning of another one: still being written, or torn. */
  | 'short'
  /** With something that no writer left there. */
  | 'damaged'

/** Reads whole records from the front of `bytes`. */
export function readRecords(bytes: Buffer): {
  readonly records: readonly ReadRecord[]
  readonly tail: Tail
} {
  const records: ReadRecord[] = []
  let at = 0
  for (;;) {
    const frame = frameAt(bytes, at)
    if (frame.kind !== 'whole') return { records, tail: frame.kind }
    if (crc32(bytes.subarray(at + 4, frame.end)) !== bytes.readUInt32BE(at)) {
      return { records, tail: 'damaged' }
    }
    records.push({ payload: bytes.toString('utf8', at + FRAME_BYTES, frame.end), end: frame.end })
    at = frame.end
  }
}

/** How many records `bytes` seem to hold, and where the last one ends: without reading them. */
export function countRecords(bytes: Buffer): { readonly count: number; readonly end: number } {
  let count = 0
  let at = 0
  for (;;) {
    const frame = frameAt(bytes, at)
    if (frame.kind !== 'whole') return { count, end: at }
    count += 1
    at = frame.end
  }
}

function frameAt(bytes: Buffer, at: number): { kind: Tail } | { kind: 'whole'; end: number } {
  const left = bytes.length - at
  if (left === 0) return { kind: 'none' }
  if (left < FRAME_BYTES) return { kind: 'short' }
  const length = bytes.readUInt32BE(at + 4)
  if (length === 0 || length > PAYLOAD_BYTES_MAX) return { kind: 'damaged' }
  return left < FRAME_BYTES + length
    ? { kind: 'short' }
    : { kind: 'whole', end: at + FRAME_BYTES + length }
}
