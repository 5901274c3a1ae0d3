import { BACKEND_REST_MS } from '../limits.ts'
import type { BackendAddress } from './backend-address.ts'

/** Which of several backends gets the next request. */
export interface BackendChoice {
  /** In turn, but leaves out those that could not be reached just now while another one is there. */
  next(nowMs: number): BackendAddress
  unreachable(target: BackendAddress, nowMs: number): void
}

export function createBackendChoice(targets: readonly BackendAddress[]): BackendChoice {
  const restsUntil = new Map<BackendAddress, number>()
  let turn = -1
  const following = (): BackendAddress => {
    turn = (turn + 1) % targets.length
    const target = targets[turn]
    if (!target) throw new TypeError('A remote backend needs at least one address.')
    return target
  }
  return {
    next: (nowMs) => {
      for (let tried = 1; tried < targets.length; tried += 1) {
        const target = following()
        if ((restsUntil.get(target) ?? 0) <= nowMs) return target
      }
      return following()
    },
    unreachable: (target, nowMs) => {
      restsUntil.set(target, nowMs + BACKEND_REST_MS)
    },
  }
}
