import { createHash } from 'node:crypto'
import type { Random } from '../../src/kernel/index.ts'

/** Chance that repeats itself: the same seed draws the same numbers. */
export function createSeededRandom(seed = 'postern'): Random {
  let counter = 0
  const block = (): Buffer => {
    counter += 1
    return createHash('sha256').update(`${seed}/${counter}`).digest()
  }
  return {
    fraction: () => block().readUIntBE(0, 6) / 2 ** 48,
    bytes: (count) => {
      const blocks: Buffer[] = []
      for (let length = 0; length < count; length += 32) blocks.push(block())
      return Buffer.concat(blocks).subarray(0, count)
    },
  }
}
