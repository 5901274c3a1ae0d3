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

/** `abandoned` says nothing about the backend: the visitor has left, or it was never asked. */
export type HowEnded = 'answered' | 'failed' | 'abandoned'

interface Member {
  readonly backend: BackendAddress
  circuit: Circuit
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
  const members = targets.map((backend): Member => ({ backend, circuit: CLOSED, underWay: 0 }))
  let turn = 0

  const bestOf = (tried: readonly BackendAddress[], nowMs: number): Member | undefined => {
    let best: Member | undefined
    for (let step = 0; step < members.length; step += 1) {
      const member = members[(turn + step) % members.length]
      if (!member || tried.includes(member.backend)) continue
      const admission = admissionTo(member.circuit, nowMs)
      // Else it would stay away as long as another one does well.
      if (admission === 'one') return member
      if (admission === 'anybody' && (!best || member.underWay < best.underWay)) best = member
    }
    return best
  }

  return {
    choose: (tried) => {
      const nowMs = clock.monotonicMs()
      const best = bestOf(tried, nowMs)
      if (!best) return undefined
      turn = (members.indexOf(best) + 1) % members.length
      best.circuit = whileTried(best.circuit, nowMs)
      best.underWay += 1
      return best.backend
    },
    end: (backend, how) => {
      const member = members.find((one) => one.backend === backend)
      if (!member) throw new TypeError('This is none of the backends.')
      member.underWay -= 1
      if (how === 'abandoned') return
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
