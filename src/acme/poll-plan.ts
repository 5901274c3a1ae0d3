/**
 * When to ask the CA again whether it is done. Each question counts against its limits, each wait
 * against ours: so the time that such a thing usually takes is learned, and the first question comes
 * when the answer is most likely there.
 */

/** What is known about how long one kind of work takes at this CA. */
export interface PollTiming {
  /** When the first question is asked, after the work began. */
  readonly firstMs: number
}

const FIRST_MS_MIN = 4
const FIRST_MS_MAX = 15_000
/** 2 % sooner after a hit, 30 % later after a miss: settles where one question in 14 is too early. */
const SOONER = 0.98
const LATER = 1.3

/** Learns from one wait: was the first question too early? */
export function learnTiming(timing: PollTiming, { polls }: { readonly polls: number }): PollTiming {
  const firstMs = timing.firstMs * (polls <= 1 ? SOONER : LATER)
  return { firstMs: Math.min(FIRST_MS_MAX, Math.max(FIRST_MS_MIN, firstMs)) }
}

/** What was done so far in one wait. */
export interface PollProgress {
  readonly polls: number
  readonly waitedMs: number
  /** What the CA asked for in its last answer (`Retry-After`). */
  readonly retryAfterMs: number | undefined
}

export type PollStep = { readonly kind: 'wait'; readonly ms: number } | { readonly kind: 'give-up' }

/** After this the order is left open, and picked up at the next attempt. */
const WAIT_MS_MAX = 90_000
const PAUSE_MS_MIN = 10
const PAUSE_MS_MAX = 5_000

/**
 * Says how long to wait before the next question: the learned time at first, and then half as long
 * again as was waited already. Longer if the CA asks for it, never shorter: some say 0 for ever.
 */
export function planPoll(timing: PollTiming, progress: PollProgress): PollStep {
  const { polls, waitedMs, retryAfterMs = 0 } = progress
  if (waitedMs >= WAIT_MS_MAX || waitedMs + retryAfterMs > WAIT_MS_MAX) return { kind: 'give-up' }
  const growingMs = Math.min(PAUSE_MS_MAX, Math.max(PAUSE_MS_MIN, waitedMs / 2))
  return { kind: 'wait', ms: Math.max(retryAfterMs, polls === 0 ? timing.firstMs : growingMs) }
}
