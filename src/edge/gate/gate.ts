import type { Socket } from 'node:net'
import type { Seats } from '../listen/seats.ts'
import { type Arrival, arrivalOf } from '../request/connection.ts'

/** Where a connection first arrives, in clear or out of its handshake: decides who reads it. */
export interface Gate {
  admit(socket: Socket): void
}

/** What can read a connection from its first byte on. */
export interface Reader {
  take(socket: Socket, arrival: Arrival): void
}

/** A gate that gives every connection to the reader of the full grammar. */
export function createGate({
  fallback,
  seats,
}: {
  readonly fallback: Reader
  readonly seats: Pick<Seats, 'of'>
}): Gate {
  return { admit: (socket) => fallback.take(socket, arrivalOf(socket, seats.of(socket))) }
}
