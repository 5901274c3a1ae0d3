import type { EdgeRecord } from '../../telemetry/index.ts'
import type { BackendAddress } from '../backend/backend-address.ts'
import { type FailureReason, reportFailure } from '../forwarder/failures.ts'
import type { Health } from '../forwarder/health.ts'
import type { Page } from '../request/pages.ts'
import type { Passage } from '../request/passage.ts'

/** A request under way and the backend it went to. */
export interface Errand {
  readonly target: BackendAddress
  /** The backend did as it should, or the visitor left before that could be known. */
  end(how: 'answered' | 'abandoned'): void
  /** Notes the failure, and says what the visitor reads. */
  fail(reason: FailureReason): Page
}

/** Which request went where, and what becomes of those that fail. */
export interface Errands {
  /** Chooses the backend; where none may be asked now, the page that says so. */
  start(passage: Passage): Errand | { readonly page: Page }
}

export function createErrands({
  health,
  record,
}: {
  readonly health: Health
  readonly record: Pick<EdgeRecord, 'backendFailed' | 'backendResting'>
}): Errands {
  return {
    start: (passage) => {
      const target = health.choose([])
      if (!target) {
        return { page: reportFailure(record, { passage, backend: undefined, reason: 'resting' }) }
      }
      let isOver = false
      const end = (how: 'answered' | 'failed' | 'abandoned'): void => {
        if (!isOver) health.end(target, how)
        isOver = true
      }
      return {
        target,
        end,
        fail: (reason) => {
          end('failed')
          return reportFailure(record, { passage, backend: target, reason })
        },
      }
    },
  }
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
