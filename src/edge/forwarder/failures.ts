import type { EdgeRecord } from '../../telemetry/index.ts'
import { type BackendAddress, formatBackendAddress } from '../backend/backend-address.ts'
import { BACKEND_RETRY_AFTER_S } from '../limits.ts'
import type { Page } from '../request/pages.ts'
import type { Passage } from '../request/passage.ts'

/** Why a backend gave no answer that could be passed on. Stable: a label of the metrics. */
export type FailureReason =
  | 'unreachable'
  | 'connect-timeout'
  | 'busy'
  | 'resting'
  | 'first-byte-timeout'
  | 'broken-answer'
  | 'cut-short'

/** What became of a request that no backend answered. */
export interface Failure {
  readonly passage: Pick<Passage, 'hostname' | 'requestId'>
  /** `undefined`: none was asked. */
  readonly backend: BackendAddress | undefined
  readonly reason: FailureReason
}

/** Notes the failure, and says what the visitor reads. */
export function reportFailure(
  record: Pick<EdgeRecord, 'backendFailed' | 'backendResting'>,
  { passage, backend, reason }: Failure,
): Page {
  const page = PAGES[reason]
  // That it rests has been said when it began to; each visitor since then is only counted.
  if (backend === undefined) record.backendResting()
  else {
    record.backendFailed({
      hostname: passage.hostname,
      backend: formatBackendAddress(backend),
      status: page.status,
      reason,
      requestId: passage.requestId,
    })
  }
  return page
}

const AWAY: Page = {
  status: 503,
  sentence: 'The server behind this one cannot be reached at present. Please try again.',
  headers: { 'retry-after': String(BACKEND_RETRY_AFTER_S) },
}
const BROKEN: Page = { status: 502, sentence: 'The server behind this one gave no usable answer.' }
const LATE: Page = { status: 504, sentence: 'The server behind this one did not answer in time.' }

const PAGES: Readonly<Record<FailureReason, Page>> = {
  unreachable: AWAY,
  'connect-timeout': AWAY,
  busy: AWAY,
  resting: AWAY,
  'first-byte-timeout': LATE,
  'broken-answer': BROKEN,
  'cut-short': BROKEN,
}
