import type { Hostname } from '../../kernel/index.ts'
import type { HostMembership } from '../ports.ts'
import type { Connection } from './connection.ts'

/**
 * Whether a request for `hostname` may come over this connection: over TLS only for the name that
 * the handshake was for (RFC 9110 §7.4; routing by anything else is domain fronting).
 *
 * On a resumed TLS 1.2 session Node does not tell the name, and the certificate shown long ago
 * cannot be known either. Refusing those would break every such visitor; so the first request binds
 * the connection, as SNI would have. Nobody gains by it: whoever can name another host here can as
 * well open a connection to that host.
 */
export function mayCarry(connection: Connection, hostname: Hostname): boolean {
  if (!connection.arrival.secure) return true
  connection.hostname ??= hostname
  return connection.hostname === hostname
}

/** Whether the host is ours, exactly. Strangers are told apart in memory, without a look-up. */
export function isOurs(membership: HostMembership, hostname: Hostname): boolean | Promise<boolean> {
  return membership.has(hostname) && membership.isOurs(hostname)
}
