import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { type Hostname, parseWireHostname } from '../../kernel/index.ts'
import type { Seat } from '../listen/seats.ts'
import { type TlsFacts, tlsFactsOf } from '../tls/tls-facts.ts'

/** What is known of a connection before its first byte is read. */
export interface Arrival {
  readonly secure: boolean
  /** What ALPN agreed on; in clear, or without ALPN, it is HTTP/1.1. */
  readonly protocol: 'http/1.1' | 'h2'
  /** The name the visitor asked TLS for; `undefined` in clear, and on resumed TLS 1.2. */
  readonly servername: Hostname | undefined
  /** IPv4 in its own form, also on a dual-stack socket. */
  readonly address: string
  /** The port it came to. */
  readonly port: number
  /** What TLS agreed on, read when it is wanted; absent in clear. */
  readonly tls?: (() => TlsFacts) | undefined
  /** A fingerprint of the ClientHello: letters, digits and `_`. Absent where none was taken. */
  readonly hello?: string | undefined
  /** Where it is noted that a request is being answered; absent for a handshake with ourselves. */
  readonly seat?: Seat | undefined
}

/** A connection and the one name it is for, once that is known. */
export interface Connection {
  readonly arrival: Arrival
  /** Over TLS only: a connection in clear may serve several of our hosts in turn. */
  hostname: Hostname | undefined
}

/** A connection of which nothing has been read yet. */
export function openConnection(arrival: Arrival): Connection {
  return { arrival, hostname: arrival.servername }
}

/** Reads what the socket knows; to be asked while it is open. */
export function arrivalOf(
  socket: Socket,
  { seat, hello }: Pick<Arrival, 'seat' | 'hello'> = {},
): Arrival {
  const secure = socket instanceof TLSSocket
  const name = secure ? servernameOf(socket) : undefined
  return {
    secure,
    protocol: secure && socket.alpnProtocol === 'h2' ? 'h2' : 'http/1.1',
    servername: name === undefined ? undefined : parseWireHostname(name),
    address: (socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, ''),
    port: socket.localPort ?? 0,
    tls: secure ? () => tlsFactsOf(socket) : undefined,
    hello,
    seat,
  }
}

/** Node says `false` where its types say nothing: no name, or a resumed TLS 1.2 session. */
function servernameOf(socket: TLSSocket & { readonly servername?: unknown }): string | undefined {
  return typeof socket.servername === 'string' ? socket.servername : undefined
}
