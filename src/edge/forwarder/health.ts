import type { Clock } from '../../kernel/index.ts'
import type { EdgeRecord } from '../../telemetry/index.ts'
import { type BackendAddress, formatBackendAddress } from '../backend/backend-address.ts'
import { admissionTo, afterFailure, type Circuit, CLOSED, whileTried } from './circuit.ts'

/** The operator's backends: which of them is asked next, by what each of them did lately. */
export interface Health {
  /**
   * The backend with the fewest requests under way, in turn among equals; `undefined`: none of those
   * that are not in `tried` may be asked now. MUST be followed by one `end`.
   */
  choose(tried: readonly BackendAddress[]): BackendAddress | undefined
  end(backend: BackendAddress, how: HowEnded): void
}

/**
 * `abandoned` says nothing about the backend: the visitor has left, or it was never asked. `too-slow`:
 * its visitor was answered without it; others are asked before it then, but it is asked if there are none.
 */
export type HowEnded = 'answered' | 'failed' | 'too-slow' | 'abandoned'

interface Member {
  readonly backend: BackendAddress
  circuit: Circuit
  /** Open: it hangs, or is slow, and may still be what there is. */
  pace: Circuit
  underWay: number
}

export function createHealth(
  {
    clock,
    record,
  }: {
    readonly clock: Pick<Clock, 'monotonicMs'>
    readonly record: Pick<EdgeRecord, 'backendPaused' | 'backendBack'>
  },
  targets: readonly BackendAddress[],
): Health {
  const members = targets.map(
    (backend): Member => ({ backend, circuit: CLOSED, pace: CLOSED, underWay: 0 }),
  )
  let turn = 0

  /** Those that may be asked, whoever's turn it is first. */
  const candidates = (tried: readonly BackendAddress[], nowMs: number): readonly Member[] =>
    [...members.slice(turn), ...members.slice(0, turn)].filter(
      ({ backend, circuit }) =>
        !tried.includes(backend) && admissionTo(circuit, nowMs) !== 'nobody',
    )
  const bestOf = (tried: readonly BackendAddress[], nowMs: number): Member | undefined => {
    const those = candidates(tried, nowMs)
    // One whose pause is over goes first: else it would stay away as long as another one does well.
    const returning = those.find(({ circuit, pace }) =>
      [admissionTo(circuit, nowMs), admissionTo(pace, nowMs)].includes('one'),
    )
    return returning ?? those.reduce<Member | undefined>(betterOf, undefined)
  }

  return {
    choose: (tried) => {
      const nowMs = clock.monotonicMs()
      const best = bestOf(tried, nowMs)
      if (!best) return undefined
      turn = (members.indexOf(best) + 1) % members.length
      best.circuit = whileTried(best.circuit, nowMs)
      if (admissionTo(best.pace, nowMs) === 'one') best.pace = whileTried(best.pace, nowMs)
      best.underWay += 1
      return best.backend
    },
    end: (backend, how) => {
      const member = members.find((one) => one.backend === backend)
      if (!member) throw new TypeError('This is none of the backends.')
      member.underWay -= 1
      if (how === 'abandoned') return
      if (how === 'too-slow') {
        member.pace = afterFailure(member.pace, clock.monotonicMs())
        return
      }
      member.pace = CLOSED
      const before = member.circuit
      if (how === 'answered') member.circuit = CLOSED
      else member.circuit = afterFailure(before, clock.monotonicMs())
      report(before, member)
    },
  }

  function report(before: Circuit, { backend, circuit }: Member): void {
    if (before.kind === circuit.kind) return
    const name = formatBackendAddress(backend)
    if (circuit.kind === 'open') record.backendPaused({ backend: name, pauseMs: circuit.pauseMs })
    else record.backendBack({ backend: name })
  }
}

/** The one that does not let its visitors wait, then the less busy, then the first. */
function betterOf(best: Member | undefined, one: Member): Member {
  if (!best) return one
  const isSlow = one.pace.kind === 'open'
  if (isSlow !== (best.pace.kind === 'open')) return isSlow ? best : one
  return one.underWay < best.underWay ? one : best
}
