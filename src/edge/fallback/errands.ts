import type { Clock } from '../../kernel/index.ts'
import type { EdgeRecord } from '../../telemetry/index.ts'
import { type BackendAddress, formatBackendAddress } from '../backend/backend-address.ts'
import { createBackendChoice } from '../backend/backend-choice.ts'
import type { Page } from '../request/pages.ts'
import type { Passage } from '../request/passage.ts'

/** Why a backend gave no answer that could be passed on. Stable: a label of the metrics. */
export type FailureReason =
  | 'unreachable'
  | 'connect-timeout'
  | 'first-byte-timeout'
  | 'broken-answer'
  | 'cut-short'

/** A request under way and the backend it went to. */
export interface Errand {
  readonly passage: Passage
  readonly target: BackendAddress
}

/** Which request went where, and what becomes of those that fail. */
export interface Errands {
  /** Chooses the backend. */
  start(passage: Passage): Errand
  /** Notes the failure, lets an unreachable backend rest, and says what the visitor reads. */
  fail(errand: Errand, reason: FailureReason): Page
}

export function createErrands(
  { record, clock }: { readonly record: Pick<EdgeRecord, 'backendFailed'>; readonly clock: Clock },
  targets: readonly BackendAddress[],
): Errands {
  const choice = createBackendChoice(targets)
  return {
    start: (passage) => ({ passage, target: choice.next(clock.monotonicMs()) }),
    fail: ({ passage, target }, reason) => {
      if (reason === 'unreachable' || reason === 'connect-timeout') {
        choice.unreachable(target, clock.monotonicMs())
      }
      const page = PAGES[reason]
      record.backendFailed({
        hostname: passage.hostname,
        backend: formatBackendAddress(target),
        status: page.status,
        reason,
        requestId: passage.requestId,
      })
      return page
    },
  }
}

const BROKEN: Page = { status: 502, sentence: 'The server behind this one gave no usable answer.' }
const LATE: Page = { status: 504, sentence: 'The server behind this one did not answer in time.' }

const PAGES: Readonly<Record<FailureReason, Page>> = {
  unreachable: { status: 502, sentence: 'The server behind this one could not be reached.' },
  'connect-timeout': LATE,
  'first-byte-timeout': LATE,
  'broken-answer': BROKEN,
  'cut-short': BROKEN,
}

/** Marks a request that we ended ourselves because nothing came back in time. */
export class FirstByteTimeout extends Error {
  override readonly name = 'FirstByteTimeout'
}

/** Reads an error of node:http or http-proxy. */
export function reasonOf(error: NodeJS.ErrnoException): FailureReason {
  if (error instanceof FirstByteTimeout) return 'first-byte-timeout'
  switch (error.code ?? '') {
    case 'ECONNECT_TIMEOUT': // http-proxy's own
    case 'ETIMEDOUT':
      return 'connect-timeout'
    case 'ECONNREFUSED':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ENOENT':
    case 'ENOTFOUND':
    case 'EACCES':
      return 'unreachable'
    default:
      return 'broken-answer'
  }
}
