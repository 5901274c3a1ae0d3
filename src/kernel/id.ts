import type { Clock } from './clock.ts'
import type { Random } from './random.ts'

/**
 * Makes an identifier: 48 bits of milliseconds and 80 random bits as 32 hexadecimal digits.
 * Sorts by time of creation, cannot be guessed, needs no coordination between nodes.
 */
export function newId({
  clock,
  random,
}: {
  readonly clock: Clock
  readonly random: Random
}): string {
  const bytes = Buffer.alloc(16)
  bytes.writeUIntBE(clock.now().getTime(), 0, 6)
  random.bytes(10).copy(bytes, 6)
  return bytes.toString('hex')
}
