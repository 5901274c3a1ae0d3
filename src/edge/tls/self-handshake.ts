import { duplexPair } from 'node:stream'
import { connect, createSecureContext, createServer, type Server, type TLSSocket } from 'node:tls'
import type { Clock, Hostname } from '../../kernel/index.ts'
import { SELF_HANDSHAKE_MS_MAX } from '../limits.ts'
import type { ServedCertificate } from '../ports.ts'
import { listenerTlsOptions } from './listener-tls-options.ts'

/** What a handshake of our own showed. */
export type Shown =
  /** Upper-case hex. */
  | { readonly kind: 'certificate'; readonly serial: string | undefined }
  /** `why` ends a sentence. */
  | { readonly kind: 'nothing'; readonly why: string }
  | { readonly kind: 'too-slow' }

/** Whether a certificate that nobody is served yet could be. `why` ends a sentence. */
export type RehearsalOutcome =
  | { readonly kind: 'went-well' }
  /** It could not, now or later. */
  | { readonly kind: 'failed'; readonly why: string }
  /** Nobody knows: that is no fault of the certificate's. */
  | { readonly kind: 'unanswered'; readonly why: string }

/** Handshakes with ourselves, without a network. */
export interface SelfHandshakes {
  /** One with this server, as a visitor of `hostname` would make it. */
  shake(server: Server, hostname: Hostname, version?: TlsVersion): Promise<Shown>
  /** One on each version of TLS, with a server that listens nowhere and is like all of ours. */
  rehearse(hostname: Hostname, certificate: ServedCertificate): Promise<RehearsalOutcome>
}

type TlsVersion = 'TLSv1.2' | 'TLSv1.3'

export function createSelfHandshakes({ clock }: { readonly clock: Clock }): SelfHandshakes {
  // Made once: a new one for each handshake with ourselves would cost more than the handshake. It
  // trusts nobody, and need not: the serial is what counts.
  const secureContext = createSecureContext({ ca: [] })

  const shake: SelfHandshakes['shake'] = async (server, hostname, version = 'TLSv1.3') => {
    const [ours, theirs] = duplexPair()
    server.emit('connection', theirs)
    const socket = connect({
      socket: ours,
      servername: hostname,
      secureContext,
      maxVersion: version,
      rejectUnauthorized: false,
    })
    const deadline = new AbortController()
    const late = clock
      .sleep(SELF_HANDSHAKE_MS_MAX, deadline.signal)
      .then((): Shown => ({ kind: 'too-slow' }))
    try {
      return await Promise.race([shownBy(socket), late])
    } finally {
      // Nobody waits for it any more, however it ends.
      late.catch(() => undefined)
      deadline.abort()
      socket.destroy()
      ours.destroy()
      theirs.destroy()
    }
  }

  return {
    shake,
    rehearse: async (hostname, { context, serial }) => {
      const server = createServer({
        ...listenerTlsOptions(),
        SNICallback: (_name, done) => done(null, context),
      })
      let refusal: string | undefined
      server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
        refusal ??= error.code
        socket.destroy()
      })
      server.on('secureConnection', (socket) => socket.on('error', () => socket.destroy()))
      for (const version of ['TLSv1.3', 'TLSv1.2'] as const) {
        const shown = await shake(server, hostname, version)
        if (shown.kind === 'too-slow') {
          return { kind: 'unanswered', why: `The handshake took too long on ${version}` }
        }
        if (shown.kind === 'nothing') {
          const code = refusal === undefined ? '' : ` (${refusal})`
          return { kind: 'failed', why: `${shown.why} on ${version}${code}` }
        }
        if (shown.serial !== serial) {
          return { kind: 'failed', why: `Another certificate was shown on ${version}` }
        }
      }
      return { kind: 'went-well' }
    },
  }
}

function shownBy(socket: TLSSocket): Promise<Shown> {
  return new Promise((resolve) => {
    socket.once('secureConnect', () =>
      resolve({ kind: 'certificate', serial: socket.getPeerX509Certificate()?.serialNumber }),
    )
    // Also what comes after the answer, which would end the process.
    socket.on('error', () => resolve({ kind: 'nothing', why: 'The handshake failed' }))
    socket.once('close', () => resolve({ kind: 'nothing', why: 'The handshake was broken off' }))
  })
}
