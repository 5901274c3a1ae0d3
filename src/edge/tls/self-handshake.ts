import { createServer } from 'node:tls'
import type { Clock, Hostname } from '../../kernel/index.ts'
import type { ServedCertificate } from '../ports.ts'
import { createInProcessClient } from './in-process-client.ts'
import { listenerTlsOptions } from './listener-tls-options.ts'
import type { TicketedServer } from './ticketed-server.ts'

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
  shake(
    server: Pick<TicketedServer, 'accept'>,
    hostname: Hostname,
    version?: TlsVersion,
  ): Promise<Shown>
  /** One on each version of TLS, with a server that listens nowhere and is like all of ours. */
  rehearse(hostname: Hostname, certificate: ServedCertificate): Promise<RehearsalOutcome>
}

type TlsVersion = 'TLSv1.2' | 'TLSv1.3'

export function createSelfHandshakes({ clock }: { readonly clock: Clock }): SelfHandshakes {
  const client = createInProcessClient({ clock })

  const shake: SelfHandshakes['shake'] = async (ticketed, hostname, version = 'TLSv1.3') => {
    const options = { servername: hostname, maxVersion: version }
    const shaken = await client.shake(ticketed, options, (socket) => ({
      serial: socket.getPeerX509Certificate()?.serialNumber,
    }))
    if (shaken.kind === 'secure') return { kind: 'certificate', ...shaken.result }
    if (shaken.kind === 'too-slow') return { kind: 'too-slow' }
    return { kind: 'nothing', why: 'The handshake failed' }
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
      const accept: TicketedServer['accept'] = (socket) => server.emit('connection', socket)
      for (const version of ['TLSv1.3', 'TLSv1.2'] as const) {
        const shown = await shake({ accept }, hostname, version)
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
