import { duplexPair } from 'node:stream'
import { type ConnectionOptions, connect, createSecureContext, type TLSSocket } from 'node:tls'
import type { Clock } from '../../kernel/index.ts'
import { SELF_HANDSHAKE_MS_MAX } from '../limits.ts'
import type { TicketedServer } from './ticketed-server.ts'

/** How one handshake of ours with a server of ours ended. */
export type Shaken<Result> = { readonly kind: 'secure'; readonly result: Result } | NotShaken

/** `code` is Node's, or says how it ended without one. */
export type NotShaken =
  | { readonly kind: 'refused'; readonly code: string }
  /** The machine is busy, or nobody will ever answer: nothing is known. */
  | { readonly kind: 'too-slow'; readonly code: string }

/** Shakes hands with a server in this process, without a network, and trusts whatever it shows. */
export interface InProcessClient {
  /** `talk` is given the connection once it is secure; whatever it does, it is broken off then. */
  shake<Result>(
    { accept }: Pick<TicketedServer, 'accept'>,
    options: Omit<ConnectionOptions, 'socket'>,
    talk: (socket: TLSSocket) => Promise<Result> | Result,
  ): Promise<Shaken<Result>>
}

export function createInProcessClient({ clock }: { readonly clock: Clock }): InProcessClient {
  // One for all handshakes of ours: making it costs more than each of them.
  const trustsNobody = createSecureContext({ ca: [] })
  return {
    shake: async ({ accept }, options, talk) => {
      const [ours, theirs] = duplexPair()
      accept(theirs)
      const own = 'ciphers' in options ? {} : { secureContext: trustsNobody }
      const socket = connect({ ...own, ...options, socket: ours, rejectUnauthorized: false })
      const waiting = new AbortController()
      const late = clock
        .sleep(SELF_HANDSHAKE_MS_MAX, waiting.signal)
        .then((): NotShaken => ({ kind: 'too-slow', code: 'no answer in time' }))
      const secured = new Promise<void>((resolve) => {
        socket.once('secureConnect', () => resolve())
      })
      const refused = new Promise<NotShaken>((resolve) => {
        const end = (code: string): void => resolve({ kind: 'refused', code })
        // Also what comes after the answer, which would end the process.
        socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message))
        socket.once('close', () => end('closed'))
      })
      const done = async (): Promise<Shaken<Awaited<ReturnType<typeof talk>>>> => {
        await secured
        return { kind: 'secure', result: await talk(socket) }
      }
      try {
        return await Promise.race([done(), refused, late])
      } finally {
        // Nobody waits for it any more, however it ends.
        late.catch(() => undefined)
        waiting.abort()
        socket.destroy()
        ours.destroy()
        theirs.destroy()
      }
    },
  }
}
