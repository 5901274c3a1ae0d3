import type { Socket } from 'node:net'
import { endsOf } from '../listen/ends.ts'
import type { ClientHello } from './client-hello.ts'

/** The fingerprints of hellos, from the hand-over until the handshake is over. */
export interface Fingerprints {
  note(socket: Socket, hello: ClientHello): void
  /** That of the connection on which this TLS session is. */
  take(session: Socket): string | undefined
}

export function createFingerprints(): Fingerprints {
  const byEnds = new Map<string, string>()
  return {
    note: (socket, hello) => {
      const ends = endsOf(socket)
      byEnds.set(ends, hello.fingerprint())
      socket.once('close', () => byEnds.delete(ends))
    },
    take: (session) => {
      const ends = endsOf(session)
      const found = byEnds.get(ends)
      byEnds.delete(ends)
      return found
    },
  }
}
