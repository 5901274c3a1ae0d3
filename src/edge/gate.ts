import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { type Hostname, parseWireHostname } from '../kernel/index.ts'
import type { Fallback } from './fallback.ts'

/** What is known of a connection before its first byte is read. */
export interface Arrival {
  readonly secure: boolean
  /** The name the visitor asked TLS for; `undefined` in clear, and on resumed TLS 1.2. */
  readonly servername: Hostname | undefined
  /** IPv4 in its own form, also on a dual-stack socket. */
  readonly address: string
  /** The port it came to. */
  readonly port: number
}

/** Where a connection first arrives, in clear or out of its handshake: decides who reads it. */
export interface Gate {
  admit(socket: Socket): void
}

/** A gate that gives every connection to the reader of the full grammar. */
export function createGate({ fallback }: { readonly fallback: Pick<Fallback, 'take'> }): Gate {
  return { admit: (socket) => fallback.take(socket, arrivalOf(socket)) }
}

function arrivalOf(socket: Socket): Arrival {
  const secure = socket instanceof TLSSocket
  const name = secure ? servernameOf(socket) : undefined
  return {
    secure,
    servername: name === undefined ? undefined : parseWireHostname(name),
    address: (socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, ''),
    port: socket.localPort ?? 0,
  }
}

/** Node says `false` where its types say nothing: no name, or a resumed TLS 1.2 session. */
function servernameOf(socket: TLSSocket & { readonly servername?: unknown }): string | undefined {
  return typeof socket.servername === 'string' ? socket.servername : undefined
}
