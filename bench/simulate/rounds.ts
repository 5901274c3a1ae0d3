import { URGENCIES, type Urgency } from '../../src/kernel/index.ts'
import type { Attending } from './attending.ts'
import type { SimulatedIssuer } from './issuing.ts'
import type { WaitingLine } from './waiting-line.ts'

/** Takes those whose turn has come out of the line, as `src/lifecycle/rounds.ts` does. */
export interface Rounds {
  claimTurns(nowMs: number): void
}

/** How often the line is looked at. */
const ROUND_EVERY_MS = 1_000
/** The room was not for them: it will not be in a second either. */
const QUEUE_HELD_FOR_MS = 30_000
/** Half of the hosts that a node may have under way. */
const TURNS_MAX = 32

export function createRounds({
  line,
  issuer,
  attending,
}: {
  readonly line: WaitingLine
  readonly issuer: SimulatedIssuer
  readonly attending: Attending
}): Rounds {
  const heldUntilMs = URGENCIES.map(() => 0)
  let latestMs = 0

  const claim = (rank: number, urgency: Urgency, limit: number, nowMs: number): void => {
    for (const host of line.claim(urgency, Math.min(limit, issuer.room(urgency, nowMs)))) {
      attending.attend(host, 'queue', nowMs)
      if (line.has(host)) heldUntilMs[rank] = nowMs + QUEUE_HELD_FOR_MS
    }
  }
  return {
    claimTurns: (nowMs) => {
      if (line.size === 0 || nowMs - latestMs < ROUND_EVERY_MS) return
      const limit = TURNS_MAX * Math.floor((nowMs - latestMs) / ROUND_EVERY_MS)
      latestMs = nowMs
      for (const [rank, urgency] of URGENCIES.entries()) {
        const isHeld = nowMs < (heldUntilMs[rank] ?? 0)
        if (!isHeld && line.sizeOf(urgency) > 0) claim(rank, urgency, limit, nowMs)
      }
    },
  }
}
