import type { Clock } from '../../kernel/index.ts'

/**
 * Nonces that came with earlier answers (RFC 8555 §6.5), so that a request needs no question before
 * it: the CA allows 20 of those a second for each address, and they double the latency.
 */
export interface NoncePool {
  put(nonce: string): void
  /** The newest: old ones are the first that a CA forgets. */
  take(): string | undefined
}

const NONCES_MAX = 64
/** Let's Encrypt keeps them for longer; a refused one costs a round trip. */
const NONCE_MS_MAX = 5 * 60_000

export function createNoncePool(clock: Clock): NoncePool {
  const pool: { readonly nonce: string; readonly atMs: number }[] = []
  return {
    put: (nonce) => {
      pool.push({ nonce, atMs: clock.monotonicMs() })
      if (pool.length > NONCES_MAX) pool.shift()
    },
    take: () => {
      const newest = pool.pop()
      if (newest === undefined) return undefined
      if (clock.monotonicMs() - newest.atMs <= NONCE_MS_MAX) return newest.nonce
      pool.length = 0
      return undefined
    },
  }
}
