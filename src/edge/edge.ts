import type { Hostname } from '../kernel/index.ts'
import type { BoundAddress, ListenAddress } from './listen-address.ts'

/** Where visitors arrive: one process's share of the front. */
export interface Edge {
  /**
   * Starts to accept; all addresses or none. `shared` lets the processes of one machine listen on
   * the same ports. Throws 'edge/port-in-use', 'edge/port-not-allowed', 'edge/bad-address'.
   */
  listen(addresses: EdgeAddresses, sharing: 'shared' | 'alone'): Promise<EdgeBound>
  /** The 48 bytes under which TLS sessions are resumed; equal in all processes and nodes. */
  setTicketKeys(keys: Buffer): void
  /**
   * Whether a handshake for `hostname` now gets the certificate with this serial: a real one,
   * through this process's own TLS server, without a network.
   */
  confirm(hostname: Hostname, serial: string): Promise<boolean>
  /** Stops accepting, lets connections finish, and destroys what is left after `deadlineMs`. */
  drain(deadlineMs: number): Promise<void>
}

export interface EdgeAddresses {
  readonly http: readonly ListenAddress[]
  readonly https: readonly ListenAddress[]
}

export interface EdgeBound {
  readonly http: readonly BoundAddress[]
  readonly https: readonly BoundAddress[]
}
