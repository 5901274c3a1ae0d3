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
  /** What Node said when it was to ask the ring, if it threw. */
  readonly hookFailure?: string | undefined
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
  deps: TicketedServerDeps,
  wanted: TicketHandling,
): TicketedServer {
  const server = createBareServer(deps)
  if (wanted === 'one-key') return serveUnderOneKey(server, deps)
  try {
    if (installTicketHook(server, deps) === 'one-key') return serveUnderOneKey(server, deps)
    return { server, handling: 'ring', accept: (socket) => server.emit('connection', socket) }
  } catch (error) {
    // Half of it may be done to that one. Visitors are served, whatever becomes of their tickets.
    return { ...serveUnderOneKey(createBareServer(deps), deps), hookFailure: String(error) }
  }
}

/** No certificate of its own: what SNI does not name gets nobody's. */
function createBareServer({ sniCallback }: Pick<TicketedServerDeps, 'sniCallback'>): Server {
  return createServer({ ...listenerTlsOptions(), SNICallback: sniCallback })
}

function serveUnderOneKey(
  server: Server,
  { ring }: Pick<TicketedServerDeps, 'ring'>,
): TicketedServer {
  let inUse: HeldTicketKey | undefined
  return {
    server,
    handling: 'one-key',
    accept: (socket) => {
      const key = ring.sealing()
      if (key && key !== inUse) server.setTicketKeys(key.all)
      inUse = key
      server.emit('connection', socket)
    },
  }
}
