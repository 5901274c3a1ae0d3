import type { Random } from '../../src/kernel/index.ts'

/**
 * Chance that repeats itself and costs nanoseconds: sfc32, one stream for each name. What the world
 * does and what Postern draws come from different streams, so that two ways of running Postern meet
 * the same world. Never for secrets.
 */
export function createSeededRandom(seed: number, stream: string): Random {
  let [a, b, c, counter] = [hash(`${seed}/${stream}`), hash(stream), seed | 0, 1]
  const word = (): number => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    return sum >>> 0
  }
  for (let round = 0; round < MIXING_ROUNDS; round += 1) word()
  return {
    fraction: () => word() / WORDS,
    bytes: (count) => Buffer.from(Array.from({ length: count }, () => word() & 0xff)),
  }
}

const WORDS = 2 ** 32
const MIXING_ROUNDS = 16

/** FNV-1a. */
function hash(text: string): number {
  let state = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) {
    state = Math.imul(state ^ text.charCodeAt(index), 0x01000193)
  }
  return state | 0
}
