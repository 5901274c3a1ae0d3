import type { Socket } from 'node:net'
import type { Random } from '../../kernel/index.ts'
import { createByEnds } from '../listen/by-ends.ts'
import type { ClientHello } from './client-hello.ts'

/** The fingerprints of the hellos of open connections. */
export interface Fingerprints {
  note(socket: Socket, hello: ClientHello): void
  /** That of the connection on which this TLS session is. */
  of(session: Socket): string | undefined
}

export function createFingerprints(deps: { readonly random: Random }): Fingerprints {
  const byEnds = createByEnds<string>(deps)
  return {
    note: (socket, hello) => {
      socket.once('close', byEnds.put(socket, hello.fingerprint()))
    },
    of: (session) => byEnds.get(session),
  }
}
