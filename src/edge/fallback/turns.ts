import type { IncomingMessage, ServerResponse } from 'node:http'
import type { EdgeRecord } from '../../telemetry/index.ts'
import { PIPELINED_REQUESTS_MAX } from '../limits.ts'
import type { Connection } from '../request/connection.ts'

/** Has one request answered, on whatever connection. */
export type ServeTurn = (turn: Turn, connection: Connection) => void

/** A connection and the requests on it that have no answer yet, the one under way first. */
export interface Visit {
  readonly connection: Connection
  readonly waiting: Turn[]
  /** Bytes that are not HTTP have come: the answer under way is the last. */
  isBroken: boolean
  /** Bytes that had been read when the last answer was complete; `undefined` before. */
  readBytes: number | undefined
}

export interface Turn {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/**
 * Takes the requests of a connection one at a time: node:http reads ahead, and what follows a
 * refused request must not be served.
 */
export interface Turns {
  enqueue(visit: Visit, turn: Turn): void
  /** From now on every answer is its connection's last. */
  windDown(): void
}

export function createTurns({
  serve,
  record,
}: {
  readonly serve: ServeTurn
  readonly record: Pick<EdgeRecord, 'answered'>
}): Turns {
  const answering = new Set<ServerResponse>()
  let isWindingDown = false

  const serveFirst = (visit: Visit): void => {
    const [turn] = visit.waiting
    if (!turn) return
    const { request, response } = turn
    const { socket } = request
    answering.add(response)
    if (isWindingDown) response.setHeader('connection', 'close')
    response.once('finish', () => {
      record.answered(response.statusCode, visit.connection.arrival.secure ? 'https' : 'http')
    })
    response.once('close', () => {
      answering.delete(response)
      // Answered before its end: nobody will read the rest, and it must not look like a request.
      if (visit.isBroken || !request.complete) socket.destroySoon()
      visit.waiting.shift()
      visit.readBytes = socket.bytesRead
      if (socket.writable) serveFirst(visit)
    })
    serve(turn, visit.connection)
  }

  return {
    enqueue: (visit, turn) => {
      // The last answer was given: what is still read is read so that it arrives (`farewell.ts`).
      if (!turn.request.socket.writable) return
      visit.waiting.push(turn)
      if (visit.waiting.length > PIPELINED_REQUESTS_MAX) turn.request.socket.destroy()
      else if (visit.waiting.length === 1) serveFirst(visit)
    },
    windDown: () => {
      isWindingDown = true
      for (const response of answering) {
        if (!response.headersSent) response.setHeader('connection', 'close')
      }
    },
  }
}
