import { once } from 'node:events'
import { type ConnectionOptions, connect } from 'node:tls'

/** One visit as a client library makes it: a handshake, one request, and the tickets it was given. */
export interface Visit {
  readonly isResumed: boolean
  /** Also those that came with the answer. */
  readonly tickets: readonly Buffer[]
  readonly answer: string
}

/** Throws what the handshake ended with. */
export async function visit(
  port: number,
  servername: string,
  options: Pick<ConnectionOptions, 'session' | 'minVersion' | 'maxVersion'> = {},
): Promise<Visit> {
  const place = { port, host: '127.0.0.1', servername, rejectUnauthorized: false }
  const socket = connect({ ...place, ...options })
  const tickets: Buffer[] = []
  socket.on('session', (ticket) => tickets.push(ticket))
  try {
    await once(socket, 'secureConnect')
    socket.write(`GET / HTTP/1.1\r\nHost: ${servername}\r\n\r\n`)
    const [answer] = await once(socket, 'data')
    // OpenSSL tells of no ticket that came with a resumption on TLS 1.2; it is in the session.
    if (tickets.length === 0) tickets.push(socket.getSession() ?? Buffer.alloc(0))
    return { isResumed: socket.isSessionReused(), tickets, answer: answer.toString('latin1') }
  } finally {
    socket.on('error', () => undefined)
    socket.destroy()
  }
}

/**
 * A client that uses each ticket once (RFC 8446 §C.4) and goes from port to port: how many of its
 * visits after the first were resumed.
 */
export async function countResumptions(
  ports: readonly number[],
  servername: string,
  { visits, version }: { readonly visits: number; readonly version: 'TLSv1.2' | 'TLSv1.3' },
): Promise<number> {
  let session: Buffer | undefined
  let resumed = 0
  for (let count = 0; count <= visits; count += 1) {
    const port = ports[count % ports.length] ?? 0
    const options = session ? { session, maxVersion: version } : { maxVersion: version }
    const seen = await visit(port, servername, options)
    if (seen.isResumed) resumed += 1
    session = seen.tickets.at(-1)
  }
  return resumed
}
