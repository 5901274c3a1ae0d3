import type { ServerResponse } from 'node:http'
import type { EdgeRecord } from '../../telemetry/index.ts'
import type { Carrier, Passage } from '../request/exchange.ts'
import { sendLastPage } from '../request/pages.ts'
import type { Backend, EdgeResponse } from './backend.ts'

/** Carries requests to a backend in this process. Their bodies are not read. */
export function createEmbeddedCarrier({
  backend,
  record,
}: {
  readonly backend: Backend
  readonly record: Pick<EdgeRecord, 'failed'>
}): Carrier {
  return {
    carry: (passage, response) => {
      // An unread body must not be taken for the next request.
      if (passage.accepted.body !== 'none') response.setHeader('connection', 'close')
      backend.handle(toEdgeRequest(passage)).then(
        (answer) => send(response, answer),
        (error: unknown) => {
          record.failed('answering a request', error)
          sendLastPage(response, { status: 500, sentence: 'Something is broken here.' })
        },
      )
    },
  }
}

function toEdgeRequest({ request, accepted, connection }: Passage) {
  return {
    method: request.method ?? '',
    hostname: accepted.hostname,
    target: accepted.target,
    address: connection.arrival.address,
    userAgent: request.headers['user-agent'] ?? '',
    secure: connection.arrival.secure,
  }
}

function send(response: ServerResponse, { status, headers, body }: EdgeResponse): void {
  response.writeHead(status, [...headers.flat(), 'content-length', String(body.length)])
  response.end(body)
}
