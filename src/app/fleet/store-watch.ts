import { type Clock, seconds } from '../../kernel/index.ts'
import type { HotPaths } from '../../store/index.ts'
import type { StoreRecord } from '../../telemetry/index.ts'

export interface StoreWatchDeps {
  readonly hot: Pick<HotPaths, 'servedCertificate' | 'hasHost'>
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly record: Pick<StoreRecord, 'storeAway' | 'storeBack'>
}

/** Without a failure for so long it is over: a store that fails at times is one outage. */
const OVER_AFTER = seconds(5)

/**
 * The look-ups on which visitors wait, watched: that the store does not answer them is said once,
 * however many come meanwhile, and so is that it answers again.
 */
export function watchStore({ hot, clock, record }: StoreWatchDeps): StoreWatchDeps['hot'] {
  let outage: Outage | undefined

  const noteFailure = (error: unknown): void => {
    const nowMs = clock.monotonicMs()
    if (!outage) {
      outage = { sinceMs: nowMs, lastMs: nowMs, failures: 0 }
      record.storeAway({ error })
    }
    outage.lastMs = nowMs
    outage.failures += 1
  }
  const noteAnswer = (): void => {
    if (!outage || clock.monotonicMs() - outage.lastMs < OVER_AFTER) return
    const { sinceMs, lastMs, failures } = outage
    outage = undefined
    record.storeBack({ failures, seconds: Math.round((lastMs - sinceMs) / 1000) })
  }
  const watched = async <Answer>(looking: Promise<Answer>): Promise<Answer> => {
    try {
      const answer = await looking
      noteAnswer()
      return answer
    } catch (error) {
      noteFailure(error)
      throw error
    }
  }
  return {
    servedCertificate: (hostname) => watched(hot.servedCertificate(hostname)),
    hasHost: (hostname) => watched(hot.hasHost(hostname)),
  }
}

interface Outage {
  readonly sinceMs: number
  lastMs: number
  failures: number
}
