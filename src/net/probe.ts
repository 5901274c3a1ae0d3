import { type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'

// HTTP-01 (RFC 8555 §8.3) from the CA's side: fetches a challenge as Let's Encrypt would, but from
// one address that the caller chose, with no DNS of its own. Redirects to other hosts are reported,
// not followed: this must not become a way to make us fetch things.

/** Where and what to fetch: `http://{hostname}{path}` from `address`. */
export interface ChallengeFetch {
  readonly address: string
  readonly port: number
  readonly hostname: string
  readonly path: string
}

/** What came back. */
export type ProbeAnswer =
  | {
      readonly kind: 'answered'
      readonly status: number
      /** The first `BODY_BYTES_MAX` bytes. Not ours to believe or to print. */
      readonly body: string
      readonly server: string | undefined
    }
  | { readonly kind: 'redirected'; readonly status: number; readonly location: string }
  | { readonly kind: 'unreachable'; readonly why: ProbeFailure }

export type ProbeFailure =
  | 'refused'
  | 'timeout'
  | 'no-route'
  | 'reset'
  | 'not-http'
  | 'tls'
  | 'failed'

export type FetchChallenge = (fetch: ChallengeFetch, signal: AbortSignal) => Promise<ProbeAnswer>

/** Fetches a challenge. Throws nothing but the signal's reason. */
export const fetchChallenge: FetchChallenge = async (fetch, signal) => {
  let url: Destination = { secure: false, port: fetch.port, path: fetch.path }
  for (let redirects = 0; ; redirects += 1) {
    const deadline = AbortSignal.timeout(ANSWER_MS_MAX)
    const answer = await fetchOnce(fetch, url, AbortSignal.any([signal, deadline])).catch(
      (error: unknown): ProbeAnswer => {
        signal.throwIfAborted()
        return { kind: 'unreachable', why: deadline.aborted ? 'timeout' : whyFailed(error) }
      },
    )
    if (answer.kind !== 'redirected') return answer
    const next = redirects < REDIRECTS_MAX ? followable(answer, fetch.hostname, url) : undefined
    if (!next) return answer
    url = next
  }
}

interface Destination {
  readonly secure: boolean
  readonly port: number
  readonly path: string
}

/** Let's Encrypt waits 10 s; who needs more than half of that has a problem already. */
const ANSWER_MS_MAX = 5_000
/** Let's Encrypt's limit is 128 bytes; a little more is read so that an error page is recognised. */
const BODY_BYTES_MAX = 1024
/** Let's Encrypt follows 10. One to https and one to another path are what people have. */
const REDIRECTS_MAX = 3
/** The kinds that Boulder follows. */
const REDIRECT_STATUSES: ReadonlySet<number> = new Set([301, 302, 307, 308])

function fetchOnce(
  { address, hostname }: ChallengeFetch,
  { secure, port, path }: Destination,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  const options = {
    ...{ host: address, port, path, signal, agent: false, maxHeaderSize: HEADER_BYTES_MAX },
    headers: { host: hostname, 'user-agent': 'Postern (preflight)', accept: '*/*' },
  }
  const { promise, resolve, reject } = Promise.withResolvers<ProbeAnswer>()
  const answered = (response: IncomingMessage): void => {
    readAnswer(response).then(resolve, reject)
  }
  const request = secure
    ? // CAs ignore the certificate of a redirect's target (RFC 8555 §8.3 leaves it open).
      requestHttps({ ...options, servername: hostname, rejectUnauthorized: false }, answered)
    : requestHttp(options, answered)
  request.on('error', reject)
  request.end()
  return promise.finally(() => request.destroy())
}

const HEADER_BYTES_MAX = 16 * 1024

async function readAnswer(response: IncomingMessage): Promise<ProbeAnswer> {
  const { statusCode: status = 0, headers } = response
  if (REDIRECT_STATUSES.has(status) && headers.location !== undefined) {
    return { kind: 'redirected', status, location: headers.location }
  }
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of response) {
    const bytes: Buffer = chunk
    chunks.push(bytes)
    length += bytes.length
    if (length >= BODY_BYTES_MAX) break
  }
  const body = Buffer.concat(chunks).subarray(0, BODY_BYTES_MAX).toString('latin1')
  return { kind: 'answered', status, body, server: response.headersDistinct['server']?.[0] }
}

/** Where a redirect leads, if that is the same host on a port where a CA would go. */
function followable(
  { location }: { readonly location: string },
  hostname: string,
  from: Destination,
): Destination | undefined {
  const base = `${from.secure ? 'https' : 'http'}://${hostname}${from.path}`
  const url = URL.parse(location, base)
  if (url?.hostname !== hostname || url.port !== '' || url.username !== '') return undefined
  const path = `${url.pathname}${url.search}`
  if (path.length > PATH_CHARACTERS_MAX) return undefined
  if (url.protocol === 'https:') return { secure: true, port: HTTPS_PORT, path }
  if (url.protocol !== 'http:') return undefined
  return { secure: false, port: from.secure ? HTTP_PORT : from.port, path }
}

const HTTP_PORT = 80
const HTTPS_PORT = 443
/** Boulder's limit. */
const PATH_CHARACTERS_MAX = 2000

/** What kept a request from being answered, by the error it ended with. */
export function whyFailed(error: unknown): ProbeFailure {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code.startsWith('HPE_')) return 'not-http'
  if (code.startsWith('ERR_SSL') || code === 'EPROTO') return 'tls'
  return WHY_BY_CODE[code] ?? 'failed'
}

const WHY_BY_CODE: Readonly<Record<string, ProbeFailure>> = {
  ECONNREFUSED: 'refused',
  ETIMEDOUT: 'timeout',
  ENETUNREACH: 'no-route',
  EHOSTUNREACH: 'no-route',
  EADDRNOTAVAIL: 'no-route',
  EAFNOSUPPORT: 'no-route',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
}
