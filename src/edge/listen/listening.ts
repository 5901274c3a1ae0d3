import { createServer, type ListenOptions, type Server } from 'node:net'
import { type Clock, milliseconds, type Periodic, startPeriodic } from '../../kernel/index.ts'
import type { EdgeRecord } from '../../telemetry/index.ts'
import { EdgeError } from '../errors.ts'
import { BACKLOG_CONNECTIONS, SWEEP_MS } from '../limits.ts'
import type { Doorkeeper } from './doorkeeper.ts'
import type { Listener } from './http-listener.ts'
import { type BoundAddress, formatListenAddress, type ListenAddress } from './listen-address.ts'

export interface ListenHow {
  /** Whether other processes of the same user may listen on the same ports (SO_REUSEPORT). */
  readonly reusePort: boolean
}

/** The TCP ports of one process and all connections that came through them. */
export interface Listening {
  open(address: ListenAddress, listener: Listener, how: ListenHow): Promise<BoundAddress>
  /** Stops accepting; connections stay. */
  closePorts(): Promise<void>
  /** Resolves once no connection is left. */
  untilQuiet(): Promise<void>
  /** Ends every connection that is left, and says how many these were. */
  destroyConnections(): Promise<number>
}

export function createListening({
  doorkeeper,
  record,
  clock,
}: {
  readonly doorkeeper: Doorkeeper
  readonly record: Pick<EdgeRecord, 'failed'>
  readonly clock: Clock
}): Listening {
  const servers = new Set<Server>()
  let sweeping: Periodic | undefined
  const sweep = (): Periodic =>
    startPeriodic(async () => doorkeeper.look(), {
      clock,
      every: milliseconds(SWEEP_MS),
      onError: (error) => record.failed('looking after connections', error),
    })

  return {
    open: async (address, listener, { reusePort }) => {
      const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
        if (doorkeeper.letIn(socket)) listener.accept(socket)
      })
      const bound = await bind(server, address, { reusePort, backlog: BACKLOG_CONNECTIONS })
      // It passes; ending the process would not help anybody. Out of descriptors is not among it:
      // that is found out by `Resources.hasDescriptors`.
      server.on('error', (error) => record.failed('accepting connections', error))
      servers.add(server)
      sweeping ??= sweep()
      return bound
    },
    closePorts: async () => {
      // `close` calls back once the connections have ended too; that is waited for elsewhere.
      for (const server of servers) server.close()
      servers.clear()
    },
    untilQuiet: () => doorkeeper.untilQuiet(),
    destroyConnections: async () => {
      const left = doorkeeper.size
      doorkeeper.clear()
      await sweeping?.[Symbol.asyncDispose]()
      return left
    },
  }
}

/**
 * Finds out whether these addresses are free, which SO_REUSEPORT would hide: binds each alone and
 * lets go again. Returns them with the ports that the system picked for `:0`, so that several
 * processes can then share these. Throws as `Edge.listen` does.
 */
export async function reserveAddresses(
  addresses: readonly ListenAddress[],
): Promise<readonly ListenAddress[]> {
  const servers: Server[] = []
  const reserved: ListenAddress[] = []
  try {
    for (const address of addresses) {
      const server = createServer()
      const { port } = await bind(server, address, { exclusive: true })
      servers.push(server)
      reserved.push({ ...address, port })
    }
  } finally {
    await Promise.all(
      servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))),
    )
  }
  return reserved
}

function bind(
  server: Server,
  address: ListenAddress,
  options: ListenOptions,
): Promise<BoundAddress> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => reject(whyNotBound(error, address))
    server.once('error', fail)
    server.listen({ ...address, ...options }, () => {
      server.off('error', fail)
      const bound = server.address()
      if (typeof bound === 'object' && bound) resolve({ host: bound.address, port: bound.port })
    })
  })
}

function whyNotBound(error: NodeJS.ErrnoException, address: ListenAddress): EdgeError {
  const place = formatListenAddress(address)
  switch (error.code ?? '') {
    case 'EADDRINUSE':
      return new EdgeError('edge/port-in-use', `Another program already listens on ${place}.`, {
        cause: error,
        fix: `Find it with \`ss -ltnp sport = :${address.port}\`, or listen elsewhere.`,
      })
    case 'EACCES':
      return new EdgeError('edge/port-not-allowed', `This user may not listen on ${place}.`, {
        cause: error,
        fix: 'Allow it (`sysctl net.ipv4.ip_unprivileged_port_start=80`), or use a port from 1024 on.',
      })
    default:
      return new EdgeError('edge/bad-address', `Cannot listen on ${place}: ${error.code}.`, {
        cause: error,
        fix: 'Listen on an address that this machine has, or on all with `:port`.',
      })
  }
}
