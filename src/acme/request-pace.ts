import type { Clock } from '../kernel/index.ts'
import type { CaLimits, RequestKind, TokenBucket } from './limits.ts'

/** Spreads the requests of this process to one CA, so that its limits per address are never met. */
export interface RequestPace {
  /**
   * Waits for the turn of a request: mostly not at all. Turns come in the order in which they were
   * asked for. Throws the signal's reason; the turn of somebody who left is lost.
   */
  turn(kind: RequestKind, signal: AbortSignal): Promise<void>
}

/**
 * Of what the CA allows. The network bunches requests together that left one by one, and other
 * programs behind our address ask, too.
 */
const SHARE = 0.8

/** One for each CA and process; a CA sees the addresses of two nodes as two. */
export function createRequestPace(
  requests: CaLimits['requests'],
  { clock }: { readonly clock: Pick<Clock, 'monotonicMs' | 'sleep'> },
): RequestPace {
  /** When each bucket is full again, on the clock that is never set. */
  const fullAtByKind = new Map<RequestKind, number>()

  const reserve = (kind: RequestKind, bucket: TokenBucket): number => {
    const burst = Math.max(1, Math.floor(bucket.capacity * SHARE))
    const tokenMs = bucket.per / (bucket.capacity * SHARE)
    const nowMs = clock.monotonicMs()
    const fullAtMs = Math.max(nowMs, fullAtByKind.get(kind) ?? nowMs) + tokenMs
    fullAtByKind.set(kind, fullAtMs)
    return fullAtMs - burst * tokenMs - nowMs
  }
  return {
    turn: async (kind, signal) => {
      signal.throwIfAborted()
      const bucket = requests[kind]
      const waitMs = bucket ? reserve(kind, bucket) : 0
      if (waitMs > 0) await clock.sleep(Math.ceil(waitMs), signal)
    },
  }
}
