import { CHUNK_EXTRA_BYTES_MAX, CHUNK_SIZE_DIGITS_MAX } from '../limits.ts'
import type { BodyReader } from './body-reader.ts'

// RFC 9112 §7.1. Extensions and trailers are read past, never kept. Not done: spaces around a size,
// which §7.1.1 calls bad and nobody sends.

//  size ─► extension ─► size-lf ─► data ─► data-cr ─► data-lf ─► size …
//                          └─ 0 ─► trailer ─► trailer-name ─► trailer-value ─► trailer-lf ─► trailer …
//                                     └─────► end-lf ─► ended

/** What the next byte has to be. */
type State =
  | 'first-digit'
  | 'size'
  | 'extension'
  | 'size-lf'
  | 'data'
  | 'data-cr'
  | 'data-lf'
  | 'trailer'
  | 'trailer-name'
  | 'trailer-value'
  | 'trailer-lf'
  | 'end-lf'
  | 'ended'
  | 'broken'

/** For each state, the one that a byte leads to. `data` is read by the piece, and by nobody here. */
const NEXT: Readonly<Record<State, (byte: number) => State>> = {
  'first-digit': (byte) => (digitOf(byte) < 0 ? 'broken' : 'size'),
  size: (byte) => {
    if (byte === CR) return 'size-lf'
    if (byte === SEMICOLON) return 'extension'
    return digitOf(byte) < 0 ? 'broken' : 'size'
  },
  extension: (byte) => endOfLine(byte, 'size-lf', 'extension'),
  'size-lf': (byte) => (byte === LF ? 'data' : 'broken'),
  data: () => 'broken',
  'data-cr': (byte) => (byte === CR ? 'data-lf' : 'broken'),
  'data-lf': (byte) => (byte === LF ? 'first-digit' : 'broken'),
  trailer: (byte) => {
    if (byte === CR) return 'end-lf'
    return isTokenByte(byte) ? 'trailer-name' : 'broken'
  },
  'trailer-name': (byte) => {
    if (byte === COLON) return 'trailer-value'
    return isTokenByte(byte) ? 'trailer-name' : 'broken'
  },
  'trailer-value': (byte) => endOfLine(byte, 'trailer-lf', 'trailer-value'),
  'trailer-lf': (byte) => (byte === LF ? 'trailer' : 'broken'),
  'end-lf': (byte) => (byte === LF ? 'ended' : 'broken'),
  ended: () => 'broken',
  broken: () => 'broken',
}

/** States whose bytes are of no use to anybody, and therefore counted. */
const EXTRA: ReadonlySet<State> = new Set<State>([
  'extension',
  'trailer-name',
  'trailer-value',
  'trailer-lf',
])

/** Takes a chunked body apart. */
export function createChunkedReader(): BodyReader {
  let state: State = 'first-digit'
  let digits = 0
  let missing = 0
  let extraBytes = 0

  const step = (byte: number): State => {
    const next = NEXT[state](byte)
    if (next === 'size') {
      digits += 1
      missing = missing * 16 + digitOf(byte)
      return digits > CHUNK_SIZE_DIGITS_MAX ? 'broken' : next
    }
    if (next === 'data') {
      digits = 0
      return missing === 0 ? 'trailer' : next
    }
    if (EXTRA.has(next)) {
      extraBytes += 1
      return extraBytes > CHUNK_EXTRA_BYTES_MAX ? 'broken' : next
    }
    return next
  }

  const readData = (bytes: Buffer, from: number, take: (piece: Buffer) => void): number => {
    const end = Math.min(from + missing, bytes.length)
    take(bytes.subarray(from, end))
    missing -= end - from
    if (missing === 0) state = 'data-cr'
    return end
  }

  return {
    read: (bytes, from, take) => {
      let at = from
      while (at < bytes.length) {
        if (state === 'data') at = readData(bytes, at, take)
        else {
          state = step(bytes[at] ?? 0)
          at += 1
        }
        if (state === 'ended') return at
        if (state === 'broken') return 'broken'
      }
      return 'more'
    },
  }
}

function endOfLine(byte: number, ended: State, goesOn: State): State {
  if (byte === CR) return ended
  return isValueByte(byte) ? goesOn : 'broken'
}

/** The value of a hexadecimal digit; -1 for any other byte. */
function digitOf(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

function isTokenByte(byte: number): boolean {
  return TOKEN.test(String.fromCharCode(byte))
}

function isValueByte(byte: number): boolean {
  return byte === TAB || (byte >= 0x20 && byte !== 0x7f)
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]$/
const CR = 13
const LF = 10
const TAB = 9
const COLON = 58
const SEMICOLON = 59
