import type { EdgeRecord } from '../../telemetry/index.ts'
import { toHeaderLines } from '../request/header-lines.ts'
import { lastPageOf, type Page, sendWhole, type WholeAnswer } from '../request/pages.ts'
import type { Carrier, Passage } from '../request/passage.ts'
import type { Backend, EdgeRequest, EdgeResponse } from './backend.ts'

const BROKEN: Page = { status: 500, sentence: 'Something is broken here.' }

/** Carries requests to a backend in this process, whatever their method. Bodies are not read. */
export function createEmbeddedCarrier({
  backend,
  record,
}: {
  readonly backend: Backend
  readonly record: Pick<EdgeRecord, 'failed'>
}): Carrier {
  const brokenBy = (error: unknown): WholeAnswer => {
    record.failed('answering a request', error)
    return lastPageOf(BROKEN)
  }
  const written = (response: EdgeResponse): WholeAnswer => {
    try {
      return wholeOf(response)
    } catch (error) {
      return brokenBy(error)
    }
  }
  return {
    carry: (passage, answer) => {
      void backend.handle(toEdgeRequest(passage)).then(
        (response) => sendWhole(answer, written(response)),
        (error: unknown) => sendWhole(answer, brokenBy(error)),
      )
    },
  }
}

function toEdgeRequest({
  method,
  hostname,
  target,
  userAgent,
  requestId,
  connection: { arrival },
}: Passage): EdgeRequest {
  const { address, secure } = arrival
  return { method, hostname, target, address, userAgent, secure, requestId }
}

/** What no value of a field may have: it would be read as more fields, or cut to a byte that is. */
const UNWRITABLE = /[^\t\x20-\x7e\x80-\xff]/

/** Writes an answer of a backend in this process out. Throws for a value that no field may have. */
export function wholeOf({ status, headers, body }: EdgeResponse): WholeAnswer {
  let lines = ''
  for (const [name, value] of headers) {
    if (UNWRITABLE.test(value)) throw new TypeError(`The value of ${name} cannot be written.`)
    lines += `${name}: ${value}\r\n`
  }
  // What a GET would have got in place of a 304 is not known here.
  const length = status === 304 ? 'unknown' : body.length
  return { head: { status, lines: toHeaderLines(lines), length }, body }
}
