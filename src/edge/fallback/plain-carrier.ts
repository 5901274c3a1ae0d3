import { Agent, type IncomingMessage, type RequestOptions, request } from 'node:http'
import type { Clock } from '../../kernel/index.ts'
import type { EdgeRecord } from '../../telemetry/index.ts'
import type { BackendAddress } from '../backend/backend-address.ts'
import {
  BACKEND_FIRST_BYTE_MS_MAX,
  BACKEND_FREE_SOCKETS_MAX,
  BACKEND_IDLE_MS_MAX,
  BACKEND_KEEP_ALIVE_MS,
  BACKEND_SOCKETS_MAX,
} from '../limits.ts'
import type { Answer } from '../request/answer.ts'
import { headersForBackend, linesForVisitor } from '../request/forwarded-headers.ts'
import { fieldsOf } from '../request/header-lines.ts'
import { lastPageOf, sendWhole } from '../request/pages.ts'
import type { Carrier, Passage } from '../request/passage.ts'
import { createErrands, FirstByteTimeout, reasonOf } from './errands.ts'

/** Carries requests without bodies to the operator's own servers, by node:http. */
export function createPlainCarrier(
  deps: { readonly record: Pick<EdgeRecord, 'backendFailed'>; readonly clock: Clock },
  targets: readonly BackendAddress[],
): Carrier {
  const errands = createErrands(deps, targets)
  const agent = new Agent({
    keepAlive: true,
    scheduling: 'lifo',
    maxSockets: BACKEND_SOCKETS_MAX,
    maxFreeSockets: BACKEND_FREE_SOCKETS_MAX,
    timeout: BACKEND_KEEP_ALIVE_MS,
  })
  return {
    carry: (passage, answer) => {
      const errand = errands.start(passage)
      const outgoing = request({ agent, ...optionsFor(passage, errand.target) })
      outgoing.setTimeout(BACKEND_FIRST_BYTE_MS_MAX, () => {
        outgoing.destroy(new FirstByteTimeout('The backend sent nothing.'))
      })
      let hasBegun = false
      answer.whenLeft(() => outgoing.destroy())
      outgoing.on('error', (error) => {
        if (answer.isOver) return
        const page = errands.fail(errand, hasBegun ? 'cut-short' : reasonOf(error))
        if (hasBegun) answer.breakOff()
        else sendWhole(answer, lastPageOf(page))
      })
      outgoing.on('response', (incoming) => {
        if (hasUsableStatus(incoming)) {
          hasBegun = true
          passOn(incoming, answer, () => errands.fail(errand, 'cut-short'))
        } else {
          incoming.destroy()
          sendWhole(answer, lastPageOf(errands.fail(errand, 'broken-answer')))
        }
      })
      outgoing.end()
    },
  }
}

function optionsFor(passage: Passage, target: BackendAddress): RequestOptions {
  const { hostname, requestId, connection } = passage
  const { address, secure, port } = connection.arrival
  const facts = { hostname, address, secure, port, requestId } as const
  const fields = fieldsOf(passage.lines).flat()
  return {
    method: passage.method,
    path: passage.target,
    headers: headersForBackend(fields, { ...facts, body: 'none', upgrade: 'none' }),
    ...(target.kind === 'tcp'
      ? { host: target.host, port: target.port }
      : { socketPath: target.path }),
  }
}

/** Less than 200 is not an answer. */
function hasUsableStatus({ statusCode = 0 }: IncomingMessage): boolean {
  return statusCode >= 200 && statusCode <= 599
}

function passOn(incoming: IncomingMessage, answer: Answer, cutShort: () => void): void {
  incoming.setTimeout(BACKEND_IDLE_MS_MAX, () => incoming.destroy())
  const length = incoming.headers['content-length']
  answer.begin({
    status: incoming.statusCode ?? 0,
    lines: linesForVisitor(incoming.rawHeaders),
    length: length === undefined ? 'unknown' : Number(length),
  })
  incoming.on('data', (piece: Buffer) => {
    if (answer.write(piece)) return
    incoming.pause()
    answer.whenDrained(() => incoming.resume())
  })
  incoming.on('error', () => undefined)
  incoming.once('close', () => {
    if (answer.isOver) return
    if (incoming.complete) {
      answer.end()
    } else {
      cutShort()
      answer.breakOff()
    }
  })
}
