import type { Socket } from 'node:net'

/** Names a connection by both of its ends: a TLS session does not tell which socket it is on. */
export function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
}
