import type { Clock } from '../../kernel/index.ts'
import type { EdgeRecord } from '../../telemetry/index.ts'
import type { AnswerEnd } from './answer.ts'
import type { Passage } from './passage.ts'

/** What of a visitor is written down besides what is always: only if the operator asks for it. */
export type AccessDetail = 'targets' | 'addresses' | 'agents'

export interface AccessLogOptions {
  /** Which share of the requests is written: 0 none, 1 all. */
  readonly share: number
  readonly details: ReadonlySet<AccessDetail>
}

/** Counts every answer, and writes down a sample of them. */
export interface AccessLog {
  /** Called with each request at the end of its answer; `startedMs` is monotonic. */
  answered(passage: Passage, startedMs: number, end: AnswerEnd): void
}

/** Of a visitor's own words in one line of the log. */
const TARGET_CHARACTERS_MAX = 2000
const AGENT_CHARACTERS_MAX = 512

/**
 * Evenly by count, not by chance: of 200 requests, a share of 0.01 writes two. A sampled request is
 * the exemplar of its bucket, so that a slow one in the metrics can be found in the log.
 */
export function createAccessLog(
  {
    record,
    clock,
  }: { readonly record: Pick<EdgeRecord, 'took' | 'accessed'>; readonly clock: Clock },
  { share, details }: AccessLogOptions,
): AccessLog {
  let owed = 0
  return {
    answered: (passage, startedMs, end) => {
      const ms = clock.monotonicMs() - startedMs
      record.took(ms)
      owed += share
      if (owed < 1) return
      owed -= 1
      const { requestId, hostname, method, target, userAgent } = passage
      const { arrival } = passage.connection
      record.accessed({
        ...{ requestId, at: clock.now(), hostname, method },
        ...{ status: end.status, bytes: end.bytes, isWhole: end.isWhole },
        ...{ ms: Math.round(ms * 1000) / 1000 },
        ...{ scheme: arrival.secure ? 'https' : 'http', protocol: arrival.protocol },
        ...(details.has('targets') ? { target: target.slice(0, TARGET_CHARACTERS_MAX) } : {}),
        ...(details.has('addresses') ? { address: arrival.address } : {}),
        ...(details.has('agents') ? { userAgent: userAgent.slice(0, AGENT_CHARACTERS_MAX) } : {}),
      })
    },
  }
}
