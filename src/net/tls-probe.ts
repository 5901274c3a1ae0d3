import type { X509Certificate } from 'node:crypto'
import { connect } from 'node:tls'
import { issuerName } from './x509.ts'

// What a visitor gets in a handshake at one address: TLS 1.2 or 1.3 with SNI (RFC 6066 §3). Nothing
// is sent after it, and nothing is believed: the caller compares.

export interface TlsProbe {
  readonly address: string
  readonly port: number
  readonly hostname: string
}

export type TlsSight =
  | {
      readonly kind: 'shown'
      /** Hexadecimal, in capitals. */
      readonly serial: string
      /** As its issuer calls itself. A stranger's text. */
      readonly issuer: string
    }
  /** There was no handshake: refused, cut, too late, or not TLS. */
  | { readonly kind: 'none' }

export type ProbeTls = (probe: TlsProbe, signal: AbortSignal) => Promise<TlsSight>

/** Shakes hands and goes. Throws nothing but the signal's reason. */
export const probeTls: ProbeTls = async ({ address, port, hostname }, signal) => {
  signal.throwIfAborted()
  const { promise, resolve, reject } = Promise.withResolvers<TlsSight>()
  const socket = connect({
    ...{ host: address, port, servername: hostname },
    // Whether it is valid is not the question: it may be anybody's.
    rejectUnauthorized: false,
  })
  const giveUp = (): void => reject(signal.reason)
  signal.addEventListener('abort', giveUp)
  socket.setTimeout(HANDSHAKE_MS_MAX, () => resolve({ kind: 'none' }))
  const deadline = setTimeout(() => resolve({ kind: 'none' }), HANDSHAKE_MS_MAX)
  socket.once('secureConnect', () => resolve(toSight(socket.getPeerX509Certificate())))
  socket.on('error', () => resolve({ kind: 'none' }))
  socket.once('close', () => resolve({ kind: 'none' }))
  try {
    return await promise
  } finally {
    clearTimeout(deadline)
    signal.removeEventListener('abort', giveUp)
    socket.destroy()
  }
}

/** As long as a CA's look at a challenge: who needs more has visitors who leave. */
const HANDSHAKE_MS_MAX = 5_000

function toSight(certificate: X509Certificate | undefined): TlsSight {
  if (!certificate) return { kind: 'none' }
  return { kind: 'shown', serial: certificate.serialNumber, issuer: issuerName(certificate) }
}
