import {
  BACKEND_FAILURES_MAX,
  BACKEND_FIRST_PAUSE_MS,
  BACKEND_PAUSE_GROWTH,
  BACKEND_PAUSE_MS_MAX,
} from '../limits.ts'

//            enough failures in a row              its pause is over: one may try
//   closed ───────────────────────────► open ─────────────────────────────────► open, longer pause
//     ▲                                   │                                              │
//     └────────────── an answer ──────────┴──────────────────────────────────────────────┘

/** Whether a backend is asked, by what it did lately. */
export type Circuit =
  | { readonly kind: 'closed'; readonly failures: number }
  | { readonly kind: 'open'; readonly untilMs: number; readonly pauseMs: number }

/** Who may ask: anybody, one to see whether it is back, or nobody. */
export type Admission = 'anybody' | 'one' | 'nobody'

/** A backend that nothing is known against: also after each whole answer, whenever it was asked for. */
export const CLOSED: Circuit = { kind: 'closed', failures: 0 }

export function admissionTo(circuit: Circuit, nowMs: number): Admission {
  if (circuit.kind === 'closed') return 'anybody'
  return nowMs < circuit.untilMs ? 'nobody' : 'one'
}

/**
 * Somebody tries a backend whose pause is over. The next pause begins with that, not with the
 * outcome: a backend that hangs, or a visitor who leaves, must not hold the door for all others.
 */
export function whileTried(circuit: Circuit, nowMs: number): Circuit {
  if (circuit.kind === 'closed') return circuit
  const pauseMs = Math.min(circuit.pauseMs * BACKEND_PAUSE_GROWTH, BACKEND_PAUSE_MS_MAX)
  return { kind: 'open', untilMs: nowMs + pauseMs, pauseMs }
}

/**
 * No usable answer came. While open this changes nothing: those who asked before it opened fail one
 * after the other, and say nothing new.
 */
export function afterFailure(circuit: Circuit, nowMs: number): Circuit {
  if (circuit.kind === 'open') return circuit
  const failures = circuit.failures + 1
  if (failures < BACKEND_FAILURES_MAX) return { kind: 'closed', failures }
  const pauseMs = BACKEND_FIRST_PAUSE_MS
  return { kind: 'open', untilMs: nowMs + pauseMs, pauseMs }
}
