import { duplexPair } from 'node:stream'
import { connect, createSecureContext, createServer, type TLSSocket } from 'node:tls'
import { type Clock, type Hostname, parseWireHostname } from '../kernel/index.ts'
import { serverTlsOptions } from '../net/index.ts'
import type { EdgeRecord, HandshakeResult } from '../telemetry/index.ts'
import type { Gate } from './gate.ts'
import type { Listener } from './http-listener.ts'
import { SELF_HANDSHAKE_MS_MAX } from './limits.ts'
import type { HostMembership } from './ports.ts'
import type { Sni } from './sni.ts'

// TLS 1.2 and 1.3 (RFC 5246, RFC 8446) by OpenSSL; what we offer is said in `net`. No early data,
// no client certificates, no HTTP/2: one pixel or one redirect gains nothing by it.

/** https: shakes hands, then the gate. */
export interface TlsListener extends Listener {
  setTicketKeys(keys: Buffer): void
  /** See `Edge.confirm`. */
  confirm(hostname: Hostname, serial: string): Promise<boolean>
}

export function createTlsListener({
  gate,
  sni,
  membership,
  record,
  clock,
}: {
  readonly gate: Gate
  readonly sni: Pick<Sni, 'callback'>
  readonly membership: Pick<HostMembership, 'has'>
  readonly record: Pick<EdgeRecord, 'handshake'>
  readonly clock: Clock
}): TlsListener {
  // No certificate of its own: what SNI does not name gets nobody's.
  const server = createServer({
    ...serverTlsOptions(),
    ALPNProtocols: ['http/1.1'],
    SNICallback: sni.callback,
  })
  // Made once: a new one for each handshake with ourselves would cost more than the handshake. It
  // trusts nobody, and need not: the serial is what counts.
  const secureContext = createSecureContext({ ca: [] })
  server.on('secureConnection', (socket) => {
    record.handshake(socket.isSessionReused() ? 'resumed' : 'full')
    gate.admit(socket)
  })
  server.on('tlsClientError', (error, socket) => {
    record.handshake(resultOf(error, socket, membership))
    socket.destroy()
  })

  return {
    accept: (socket) => server.emit('connection', socket),
    setTicketKeys: (keys) => server.setTicketKeys(keys),
    confirm: async (hostname, serial) => {
      const [ours, theirs] = duplexPair()
      server.emit('connection', theirs)
      const socket = connect({
        socket: ours,
        servername: hostname,
        secureContext,
        rejectUnauthorized: false,
      })
      const deadline = new AbortController()
      try {
        const served = await Promise.race([
          serialOf(socket),
          clock.sleep(SELF_HANDSHAKE_MS_MAX, deadline.signal),
        ])
        return served === serial
      } finally {
        deadline.abort()
        socket.destroy()
        ours.destroy()
        theirs.destroy()
      }
    },
  }
}

/** The serial of the certificate that the other side shows; `undefined` if there is none. */
function serialOf(socket: TLSSocket): Promise<string | undefined> {
  return new Promise((resolve) => {
    socket.once('secureConnect', () => resolve(socket.getPeerX509Certificate()?.serialNumber))
    socket.once('error', () => resolve(undefined))
    socket.once('close', () => resolve(undefined))
  })
}

/** OpenSSL's words for "no certificate that both sides can use", on TLS 1.3 and 1.2. */
const NO_CERTIFICATE = new Set([
  'ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM',
  'ERR_SSL_NO_SHARED_CIPHER',
])

function resultOf(
  { code }: NodeJS.ErrnoException,
  { servername }: { readonly servername?: unknown },
  membership: Pick<HostMembership, 'has'>,
): HandshakeResult {
  if (code === 'ERR_TLS_HANDSHAKE_TIMEOUT') return 'timeout'
  if (code === 'ECONNRESET' || code === 'EPIPE') return 'aborted'
  if (code === undefined || !NO_CERTIFICATE.has(code)) return 'protocol-error'
  if (typeof servername !== 'string') return 'no-sni'
  const hostname = parseWireHostname(servername)
  return hostname && membership.has(hostname) ? 'no-certificate' : 'unknown-sni'
}
