import type { Clock } from '../../kernel/index.ts'
import type { EdgeRecord } from '../../telemetry/index.ts'
import type { LinkRescue } from '../backend/backend.ts'
import { wholeOf } from '../backend/embedded-carrier.ts'
import {
  admissionTo,
  afterFailure,
  type Circuit,
  CLOSED,
  whileTried,
} from '../forwarder/circuit.ts'
import { RESCUE_AFTER_MS } from '../limits.ts'
import type { Answer } from '../request/answer.ts'
import type { WholeAnswer } from '../request/pages.ts'
import type { Carrier, Passage } from '../request/passage.ts'
import { HeldAnswer, type LetDown } from './held-answer.ts'
import { createPatience } from './patience.ts'

//  passage ─┬─ looks like a link ─► held answer ─► carrier ─┬─ good ─► visitor
//           └─ anything else ─────► carrier                 └─ let down ─► a link of ours? ─┬─ yes: our answer
//                                                                                           └─ no: what came
//
// A link that was sent keeps working: whatever the backend does, its visitor is answered within a
// second, and the backend is told of the hit when it is back (`owed-sender.ts`).

export interface RescuingDeps {
  readonly carrier: Carrier
  readonly rescue: LinkRescue
  readonly clock: Clock
  readonly record: Pick<EdgeRecord, 'linkRescued' | 'failed'>
}

/** Why a link was answered here: the backend let its visitor down, or was not even asked. */
export type RescueReason = LetDown | 'not-asked'

/** A carrier that answers signed links by itself when the backend does not. */
export function createRescuingCarrier({ carrier, rescue, clock, record }: RescuingDeps): Carrier {
  const patience = createPatience(clock, RESCUE_AFTER_MS)
  // Of links alone: a backend that is slow for them may well answer everything else.
  let circuit: Circuit = CLOSED

  const rescued = async (
    passage: Passage,
    reason: RescueReason,
  ): Promise<WholeAnswer | undefined> => {
    try {
      const answer = await rescue.answerFor(toRescueRequest(passage))
      if (!answer) return undefined
      record.linkRescued(reason)
      return wholeOf(answer)
    } catch (error) {
      record.failed('answering a link for the backend', error)
      return undefined
    }
  }
  const carryHeld = (passage: Passage, answer: Answer): void => {
    const settle = async (held: HeldAnswer, how: LetDown): Promise<void> => {
      const ours = await rescued(passage, how)
      if (ours) held.replace(ours)
      else held.release()
    }
    const held = new HeldAnswer(answer, {
      wentWell: () => {
        isDone()
        circuit = CLOSED
      },
      letDown: (how) => {
        isDone()
        if (how === 'too-slow') circuit = afterFailure(circuit, clock.monotonicMs())
        void settle(held, how)
      },
    })
    const isDone = patience.await(() => held.expire())
    carrier.carry(passage, held)
  }
  const answerAtOnce = async (passage: Passage, answer: Answer): Promise<void> => {
    const ours = await rescued(passage, 'not-asked')
    if (ours) answer.send(ours.head, ours.body)
    else carrier.carry(passage, answer)
  }

  return {
    carry: (passage, answer) => {
      if (!mayBeLink(passage.target)) {
        carrier.carry(passage, answer)
        return
      }
      const nowMs = clock.monotonicMs()
      if (admissionTo(circuit, nowMs) === 'nobody') {
        void answerAtOnce(passage, answer)
        return
      }
      circuit = whileTried(circuit, nowMs)
      carryHeld(passage, answer)
    },
  }
}

/** `/c/…` or `/o/…`: cheap, and asked of every request. Whether it is a link, its MAC says. */
function mayBeLink(target: string): boolean {
  const letter = target.charCodeAt(1)
  return (letter === LETTER_C || letter === LETTER_O) && target.charCodeAt(2) === SLASH
}

const SLASH = 0x2f
const LETTER_C = 0x63
const LETTER_O = 0x6f

function toRescueRequest({ connection: { arrival }, ...passage }: Passage) {
  const { method, hostname, target, userAgent, requestId } = passage
  const { address, secure, port } = arrival
  return { method, hostname, target, userAgent, requestId, address, secure, port }
}
