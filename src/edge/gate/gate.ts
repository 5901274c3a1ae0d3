import type { Socket } from 'node:net'
import {
  type Clock,
  createPlaces,
  milliseconds,
  type Periodic,
  startPeriodic,
} from '../../kernel/index.ts'
import type { EdgeRecord } from '../../telemetry/index.ts'
import { DEADLINE_CHECK_MS } from '../limits.ts'
import type { Doorkeeper } from '../listen/doorkeeper.ts'
import { arrivalOf, type Connection, openConnection } from '../request/connection.ts'
import type { Exchange } from '../request/exchange.ts'
import { createTogether } from '../together.ts'
import { GateConnection, type GateRoom } from './gate-connection.ts'
import { createHeadReader } from './head-reader.ts'

/**
 * Where a connection first arrives, in clear or out of its handshake. Reads the plainest of
 * requests itself, and hands a connection over to the reader of the full grammar with the first
 * bytes that are anything else.
 */
export interface Gate extends AsyncDisposable {
  /** `hello`: the fingerprint of its ClientHello, if one was taken. */
  admit(socket: Socket, hello?: string): void
  /** From now on every answer is its connection's last; idle connections are closed. */
  windDown(): void
}

/** What can read a connection from its first byte on, or from a byte that was put back. */
export interface Reader {
  take(socket: Socket, connection: Connection): void
}

export interface GateDeps {
  readonly exchange: Pick<Exchange, 'serve'>
  readonly fallback: Reader
  /** For connections that agreed on it in their handshake. */
  readonly http2: Reader
  readonly doorkeeper: Pick<Doorkeeper, 'seatOf'>
  readonly httpDate: () => string
  readonly record: Pick<EdgeRecord, 'answered' | 'refused' | 'failed'>
  readonly clock: Clock
}

export function createGate(deps: GateDeps): Gate {
  const { exchange, fallback, http2, doorkeeper, httpDate, record, clock } = deps
  const connections = createPlaces<GateConnection>()
  let isWindingDown = false
  const room: GateRoom = {
    heads: createHeadReader(),
    get isWindingDown() {
      return isWindingDown
    },
    httpDate,
    nowMs: () => clock.monotonicMs(),
    serve: (asked, answer) => exchange.serve(asked, answer),
    serveSoon: createTogether((connection) => connection.serveNext()),
    writeSoon: createTogether((answer) => answer.writeWhole()),
    answered: (status, { arrival }) => record.answered(status, arrival.secure ? 'https' : 'http'),
    handOver: (socket, connection) => fallback.take(socket, connection),
    refused: () => record.refused('grammar'),
  }
  const watch = watchDeadlines(connections, { clock, record })

  return {
    admit: (socket, hello) => {
      const seat = doorkeeper.seatOf(socket)
      const connection = openConnection(arrivalOf(socket, { seat, hello }))
      if (connection.arrival.protocol === 'h2') http2.take(socket, connection)
      else {
        const visit = new GateConnection(socket, connection, room)
        visit.whenGone(connections.take(visit))
      }
    },
    windDown: () => {
      isWindingDown = true
      for (const connection of connections) connection.endIfIdle()
    },
    [Symbol.asyncDispose]: () => watch[Symbol.asyncDispose](),
  }
}

function watchDeadlines(
  connections: Iterable<GateConnection>,
  { clock, record }: Pick<GateDeps, 'clock' | 'record'>,
): Periodic {
  return startPeriodic(
    async () => {
      const nowMs = clock.monotonicMs()
      for (const connection of connections) connection.endIfLate(nowMs)
    },
    {
      clock,
      every: milliseconds(DEADLINE_CHECK_MS),
      onError: (error) => record.failed('watching deadlines', error),
    },
  )
}
