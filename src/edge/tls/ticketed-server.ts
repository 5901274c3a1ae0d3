import type { Duplex } from 'node:stream'
import { createServer, type Server, type TlsOptions } from 'node:tls'
import type { Random } from '../../kernel/index.ts'
import { listenerTlsOptions } from './listener-tls-options.ts'
import { installTicketHook, type TicketHandling } from './ticket-hook.ts'
import type { HeldTicketKey, TicketRing } from './ticket-ring.ts'

/** A TLS server that listens nowhere itself, and whose sessions are resumed under a ring's keys. */
export interface TicketedServer {
  readonly server: Server
  readonly handling: TicketHandling
  /** Shakes hands with whoever is at the other end. */
  accept(socket: Duplex): void
}

export interface TicketedServerDeps {
  readonly ring: TicketRing
  readonly random: Pick<Random, 'bytes'>
  readonly sniCallback: NonNullable<TlsOptions['SNICallback']>
}

/** `wanted` is what is tried; `handling` tells what came of it. */
export function createTicketedServer(
  { ring, random, sniCallback }: TicketedServerDeps,
  wanted: TicketHandling,
): TicketedServer {
  // No certificate of its own: what SNI does not name gets nobody's.
  const server = createServer({ ...listenerTlsOptions(), SNICallback: sniCallback })
  const handling = wanted === 'ring' ? installTicketHook(server, { ring, random }) : 'one-key'
  if (handling === 'ring') {
    return { server, handling, accept: (socket) => server.emit('connection', socket) }
  }
  let inUse: HeldTicketKey | undefined
  return {
    server,
    handling,
    accept: (socket) => {
      const key = ring.sealing()
      if (key && key !== inUse) server.setTicketKeys(key.all)
      inUse = key
      server.emit('connection', socket)
    },
  }
}
