import { type Clock, type Random, unreachable } from '../../kernel/index.ts'
import type { EdgeRecord } from '../../telemetry/index.ts'
import type { AccessLog } from './access-log.ts'
import type { Answer } from './answer.ts'
import type { Decide, Decision, Refusal } from './decision.ts'
import { lastPageOf, type Page, pageOf, proofOf, sendWhole } from './pages.ts'
import type { Asked, Carrier, Passage } from './passage.ts'
import { createRequestIds } from './request-id.ts'
import type { VisitorFacts } from './visitor-facts.ts'

/** One request and its answer, from head to backend, whoever read the head. */
export interface Exchange {
  /**
   * Decides, and has it answered: in the same turn of the loop wherever nothing has to be looked
   * up. `carry` takes the place of the common carrier for what that cannot carry.
   */
  serve(asked: Asked, answer: Answer, carry?: (passage: Passage) => void): void
  /** Answers for a rule that was broken; the answer is the last of its connection. */
  refuse(answer: Answer, refusal: Omit<Refusal, 'kind'>): void
}

const BROKEN: Page = { status: 500, sentence: 'Something is broken here. Please try again.' }

export function createExchange({
  decide,
  carrier,
  accessLog,
  visitorFacts,
  record,
  clock,
  random,
}: {
  readonly decide: Decide
  readonly carrier: Carrier
  readonly accessLog: AccessLog
  /** Absent where the backend does not want any. */
  readonly visitorFacts?: VisitorFacts | undefined
  readonly record: Pick<EdgeRecord, 'refused' | 'failed'>
  readonly clock: Clock
  readonly random: Random
}): Exchange {
  const nextId = createRequestIds({ clock, random })
  const refuse: Exchange['refuse'] = (answer, { rule, page }) => {
    record.refused(rule)
    sendWhole(answer, lastPageOf(page))
  }
  const broken = (error: unknown): Decision => {
    record.failed('deciding on a request', error)
    return { kind: 'refuse', rule: 'broken', page: BROKEN }
  }
  const follow = (
    decision: Decision,
    passage: Passage,
    answer: Answer,
    carry?: (passage: Passage) => void,
  ): void => {
    if (answer.isOver) return
    switch (decision.kind) {
      case 'carry': {
        const told = visitorFacts
          ? { ...passage, vouched: visitorFacts.vouchFor(passage) }
          : passage
        if (carry) carry(told)
        else carrier.carry(told, answer)
        return
      }
      case 'prove':
        sendWhole(answer, proofOf(decision.proof))
        return
      case 'answer':
        sendWhole(answer, pageOf(decision.page))
        return
      case 'refuse':
        refuse(answer, decision)
        return
      default:
        unreachable(decision)
    }
  }

  return {
    serve: (asked, answer, carry) => {
      const startedMs = asked.sinceMs ?? clock.monotonicMs()
      const { method, hostname, target, lines, userAgent, connection } = asked
      const requestId = nextId(startedMs)
      const passage = { method, hostname, target, lines, userAgent, connection, requestId }
      answer.whenOver((end) => accessLog.answered(passage, startedMs, end))
      connection.arrival.seat?.serves(answer)
      const decision = decideNow(decide, passage, broken)
      if (decision instanceof Promise) {
        void decision.catch(broken).then((made) => follow(made, passage, answer, carry))
      } else {
        follow(decision, passage, answer, carry)
      }
    },
    refuse,
  }
}

function decideNow(
  decide: Decide,
  asked: Asked,
  broken: (error: unknown) => Decision,
): ReturnType<Decide> {
  try {
    return decide(asked)
  } catch (error) {
    return broken(error)
  }
}
