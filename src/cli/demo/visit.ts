import { request } from 'node:https'
import { text } from 'node:stream/consumers'
import type { TLSSocket } from 'node:tls'

/** What a visitor got. */
export interface Visit {
  readonly status: number | undefined
  readonly location: string | undefined
  readonly type: string | undefined
  readonly bytes: number
  readonly tls: string
  /** Of the certificate that was shown, in hexadecimal. */
  readonly serial: string | undefined
}

const VISIT_MS_MAX = 10_000

/** Visits a URL on this machine, with the certificate verified for the URL's own name. */
export async function visit(
  url: string,
  { port, rootsPem: ca }: { readonly port: number; readonly rootsPem: string },
): Promise<Visit> {
  const { hostname, pathname } = new URL(url)
  const { promise, resolve, reject } = Promise.withResolvers<Visit>()
  const asking = request(
    {
      ...{ host: '127.0.0.1', port, path: pathname, servername: hostname, ca, agent: false },
      headers: { host: hostname, 'user-agent': 'postern-demo' },
      signal: AbortSignal.timeout(VISIT_MS_MAX),
    },
    (response) => {
      const socket: unknown = response.socket
      const tls = isTls(socket) ? `${socket.getProtocol()} ${socket.getCipher().name}` : 'no TLS'
      const serial = isTls(socket) ? socket.getPeerX509Certificate()?.serialNumber : undefined
      const { location, 'content-type': type } = response.headers
      text(response.setEncoding('latin1')).then((body) => {
        const bytes = body.length
        resolve({ status: response.statusCode, location, type, bytes, tls, serial })
      }, reject)
    },
  )
  asking.once('error', reject)
  asking.end()
  return promise
}

function isTls(socket: unknown): socket is TLSSocket {
  return typeof socket === 'object' && socket !== null && 'getProtocol' in socket
}
