import { HOP_BY_HOP, isSpoofable, SPOOFABLE } from '../request/forwarded-headers.ts'

/**
 * What a visitor's field is to the gate: one to pass on, one to leave out, one to read, or one that
 * may change where a message ends or what is spoken on the connection (`unclear`).
 */
export type FieldMeaning = 'kept' | 'dropped' | 'host' | 'user-agent' | 'connection' | 'unclear'

/** Reads the name at `start` to `end`, in whatever case. Costs a look into a table for most. */
export function meaningOf(text: string, start: number, end: number): FieldMeaning {
  if (MAY_MEAN_SOMETHING[slotOf(text.charCodeAt(start), end - start)] === 0) return 'kept'
  const name = text.slice(start, end).toLowerCase()
  const known = MEANINGS.get(name)
  if (known) return known
  return isSpoofable(name) ? 'dropped' : 'kept'
}

const MEANINGS: ReadonlyMap<string, FieldMeaning> = new Map<string, FieldMeaning>([
  ...Array.from(SPOOFABLE, (name) => [name, 'dropped'] as const),
  ...Array.from(HOP_BY_HOP, (name) => [name, 'unclear'] as const),
  ['content-length', 'unclear'],
  ['connection', 'connection'],
  ['host', 'host'],
  ['user-agent', 'user-agent'],
])

const LETTERS = 32
const LENGTHS = 32

/** By the first letter and the length, which tell most names from those with a meaning. */
const MAY_MEAN_SOMETHING = tableOf(MEANINGS.keys())

function tableOf(names: Iterable<string>): Uint8Array {
  const table = new Uint8Array(LETTERS * LENGTHS)
  for (const name of names) table[slotOf(name.charCodeAt(0), name.length)] = 1
  // `X-Forwarded` and `Postern` and whatever follows them: of any length.
  for (let length = 0; length < LENGTHS; length += 1) {
    table[slotOf(0x78, length)] = 1
    table[slotOf(0x70, length)] = 1
  }
  return table
}

/** Upper and lower case share their last five bits; long names share a slot. */
function slotOf(firstLetter: number, length: number): number {
  return (firstLetter & 0x1f) * LENGTHS + Math.min(length, LENGTHS - 1)
}
