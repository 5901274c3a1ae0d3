/**
 * A set of strings that keeps 32 bits of each: a Bloom filter's promise (never misses what was
 * added, seldom wrong about the rest) for one memory access. Nothing can be removed.
 */
export interface Fingerprints {
  add(text: string): void
  /** Was `text` added? A wrong yes has the chance `size` in 2^32. */
  has(text: string): boolean
  readonly size: number
  /** Memory of the table, in bytes. */
  readonly bytes: number
}

/**
 * Makes an empty set. The seed MUST be drawn at random per process, so that nobody outside can
 * choose names that fall together.
 */
export function createFingerprints(seed: number, capacity = SLOTS_MIN): Fingerprints {
  let slots = new Uint32Array(slotsFor(capacity))
  let size = 0

  const insert = (fingerprint: number): boolean => {
    const at = slotOf(slots, fingerprint)
    if (slots[at] === fingerprint) return false
    slots[at] = fingerprint
    return true
  }
  const grow = (): void => {
    const full = slots
    slots = new Uint32Array(full.length * 2)
    for (const fingerprint of full) if (fingerprint !== EMPTY) insert(fingerprint)
  }

  return {
    add: (text) => {
      if (size >= slots.length * LOAD_MAX) grow()
      if (insert(fingerprintOf(text, seed))) size += 1
    },
    has: (text) => slots[slotOf(slots, fingerprintOf(text, seed))] !== EMPTY,
    get size() {
      return size
    },
    get bytes() {
      return slots.byteLength
    },
  }
}

const EMPTY = 0
const SLOTS_MIN = 1024
/** A stranger meets 13 slots on average, side by side in memory; 5 to 10 bytes a name. */
const LOAD_MAX = 0.8

function slotsFor(capacity: number): number {
  let slots = SLOTS_MIN
  while (slots * LOAD_MAX < capacity) slots *= 2
  return slots
}

/** Where this fingerprint is, or the empty slot where it would be. The table is never full. */
function slotOf(slots: Uint32Array, fingerprint: number): number {
  const mask = slots.length - 1
  let at = fingerprint & mask
  while (slots[at] !== fingerprint && slots[at] !== EMPTY) at = (at + 1) & mask
  return at
}

/**
 * MurmurHash3 (32 bits, public domain), one byte a character as names have it. Not cryptographic:
 * a collision only costs one read of the store.
 */
function fingerprintOf(text: string, seed: number): number {
  let hash = seed
  for (let at = 0; at < text.length; at += 4) {
    // `charCodeAt` past the end is NaN, which counts as 0 here.
    const block =
      text.charCodeAt(at) |
      (text.charCodeAt(at + 1) << 8) |
      (text.charCodeAt(at + 2) << 16) |
      (text.charCodeAt(at + 3) << 24)
    hash ^= Math.imul(rotateLeft(Math.imul(block, 0xcc9e2d51), 15), 0x1b873593)
    hash = (Math.imul(rotateLeft(hash, 13), 5) + 0xe6546b64) | 0
  }
  hash ^= text.length
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  const fingerprint = (hash ^ (hash >>> 16)) >>> 0
  return fingerprint === EMPTY ? 1 : fingerprint
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits))
}
