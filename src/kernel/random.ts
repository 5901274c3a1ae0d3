import { randomBytes } from 'node:crypto'

/** The only source of chance. Passed to everything that draws, so that tests can repeat it. */
export interface Random {
  /** Uniform in [0, 1). Not for secrets. */
  fraction(): number
  /** `count` bytes fit for secrets. */
  bytes(count: number): Buffer
}

/** The operating system's generator. */
export const systemRandom: Random = {
  fraction: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
  bytes: (count) => randomBytes(count),
}
