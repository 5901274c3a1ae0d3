/**
 * HTTP/1.1 (RFC 9112) to a URL that a stranger chose, without becoming a way into our own network
 * (SSRF): https, to a public address that was checked, and to no other. Redirects are not followed,
 * proxies of the environment not used, connections not kept.
 */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import {
  Agent as HttpAgent,
  type IncomingMessage,
  type RequestOptions,
  request as requestHttp,
} from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { isIP } from 'node:net'
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls'
import { type Duration, seconds } from '../kernel/index.ts'
import { createNetworks, isPrivateAddress } from './addresses.ts'
import { NetError } from './errors.ts'
import type { NetOptions } from './options.ts'
import { whyFailed } from './probe.ts'
import type { DnsAnswer, Resolver } from './resolver.ts'
import { type Destination, type FetchRefusal, judgeUrl, refuse } from './url-guard.ts'

/** Fetches URLs of strangers. */
export interface GuardedFetch {
  /** What is wrong with a URL as it stands, before any name in it is asked for. */
  judge(url: string): FetchRefusal | undefined
  /**
   * Asks once. What the other side does is a value; throws nothing but the signal's reason. A name
   * is resolved and judged anew each time, and the connection goes to exactly what was judged.
   */
  fetch(request: GuardedRequest, signal: AbortSignal): Promise<GuardedAnswer>
}

export interface GuardedRequest {
  readonly url: string
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | undefined
  /** From the question to DNS to the last byte of the answer. */
  readonly deadline: Duration
}

export type GuardedAnswer =
  | {
      readonly kind: 'answered'
      readonly status: number
      /** The first 64 KiB, or as much as came before the deadline. Not ours to believe or print. */
      readonly body: string
    }
  | FetchRefusal
  | {
      readonly kind: 'unreachable'
      readonly why: FetchFailure
      /** One sentence. Names no address, which may be one of ours. */
      readonly sentence: string
    }

export type FetchFailure = 'dns' | 'certificate' | ReturnType<typeof whyFailed>

interface GuardedFetchDeps {
  readonly resolver: Pick<Resolver, 'a' | 'aaaa'>
}

/** Throws 'net/bad-roots'. */
export function createGuardedFetch(
  { resolver }: GuardedFetchDeps,
  options: Pick<NetOptions, 'allowPrivate' | 'allowHttp' | 'roots'>,
): GuardedFetch {
  const allowed = createNetworks(options.allowPrivate)
  const mayGoTo = (address: string): boolean => !isPrivateAddress(address) || allowed.hold(address)
  const agents = createAgents(options.roots)
  const judge = (url: string): Destination | FetchRefusal =>
    judgeUrl(url, { mayGoTo, http: options.allowHttp ? 'allowed' : 'refused' })

  return {
    judge: (url) => {
      const judged = judge(url)
      return judged.kind === 'refused' ? judged : undefined
    },
    fetch: async (request, signal) => {
      signal.throwIfAborted()
      const destination = judge(request.url)
      if (destination.kind === 'refused') return destination
      const deadline = AbortSignal.timeout(request.deadline)
      const either = AbortSignal.any([signal, deadline])
      try {
        const found = await findAddresses(destination, resolver, either)
        if (found.kind !== 'addresses') return found
        const addresses = found.addresses.filter(mayGoTo).slice(0, ADDRESSES_TRIED_MAX)
        if (addresses.length === 0) return refuse('private-address', LEADS_INSIDE)
        return await ask({ request, destination, addresses, agents }, either)
      } catch (error) {
        signal.throwIfAborted()
        return unreachable(deadline.aborted ? 'timeout' : whyNotAnswered(error), error)
      }
    },
  }
}

/** One dead address of several must not be the end; more than this is somebody's joke. */
const ADDRESSES_TRIED_MAX = 4
/** Node gives each but the last 250 ms, less than the way around the world and back. */
const ADDRESS_PATIENCE = seconds(2)
const HEADER_BYTES_MAX = 16 * 1024
const BODY_BYTES_MAX = 64 * 1024
const LEADS_INSIDE = 'The name leads to an address that is not on the public internet.'

type FoundAddresses =
  | { readonly kind: 'addresses'; readonly addresses: readonly string[] }
  | Extract<GuardedAnswer, { kind: 'unreachable' }>

async function findAddresses(
  { host }: Destination,
  resolver: GuardedFetchDeps['resolver'],
  signal: AbortSignal,
): Promise<FoundAddresses> {
  if (isIP(host) !== 0) return { kind: 'addresses', addresses: [host] }
  const [v4, v6] = await Promise.all([resolver.a(host, signal), resolver.aaaa(host, signal)])
  const addresses = [...recordsOf(v4), ...recordsOf(v6)]
  if (addresses.length > 0) return { kind: 'addresses', addresses }
  const sentence = DNS_SENTENCES[v4.kind === 'none' ? v6.kind : v4.kind]
  return { kind: 'unreachable', why: 'dns', sentence }
}

function recordsOf(answer: DnsAnswer<string>): readonly string[] {
  return answer.kind === 'found' ? answer.records : []
}

const DNS_SENTENCES: Readonly<Record<DnsAnswer<string>['kind'], string>> = {
  found: 'The name has no address.',
  none: 'The name has no address.',
  nxdomain: 'The name does not exist.',
  servfail: 'The name servers of the name do not answer properly.',
  timeout: 'The name servers of the name did not answer in time.',
}

interface Question {
  readonly request: GuardedRequest
  readonly destination: Destination
  readonly addresses: readonly string[]
  readonly agents: Agents
}

function ask(
  { request: { method, headers, body }, destination, addresses, agents }: Question,
  signal: AbortSignal,
): Promise<GuardedAnswer> {
  const { url, host } = destination
  const checked = addresses.map((address) => ({ address, family: isIP(address) }))
  const options: RequestOptions = {
    ...{ method, headers, host, port: url.port, path: `${url.pathname}${url.search}`, signal },
    maxHeaderSize: HEADER_BYTES_MAX,
    // The only look-up there is: what was checked is what is connected to.
    lookup: (_name, _options, tell) => tell(null, checked),
  }
  const { promise, resolve, reject } = Promise.withResolvers<GuardedAnswer>()
  let isAnswered = false
  const answered = (response: IncomingMessage): void => {
    isAnswered = true
    readAnswer(response).then(resolve, reject)
  }
  // Once there is a status, how the connection ends is the body's matter.
  const failed = (error: Error): void => {
    if (!isAnswered) reject(error)
  }
  const request =
    url.protocol === 'https:'
      ? requestHttps({ ...options, agent: agents.https }, answered)
      : requestHttp({ ...options, agent: agents.http }, answered)
  request.on('error', failed)
  // Without an error when it was answered with a change of protocol.
  request.on('close', () => failed(new Error('The connection was closed without an answer')))
  request.end(body)
  return promise.finally(() => request.destroy())
}

interface Agents {
  readonly http: HttpAgent
  readonly https: HttpsAgent
}

/** Throws 'net/bad-roots'. */
function createAgents(roots: string | undefined): Agents {
  const connecting = {
    keepAlive: false,
    // Otherwise Node would ask `lookup` for one address, and have no other when that one is dead.
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: ADDRESS_PATIENCE,
  }
  return {
    http: new HttpAgent(connecting),
    // Verified whatever NODE_TLS_REJECT_UNAUTHORIZED says.
    https: new HttpsAgent({
      ...connecting,
      secureContext: contextWith(roots),
      rejectUnauthorized: true,
    }),
  }
}

/** The status is the answer. A body that ends badly or never does not undo it. */
async function readAnswer(response: IncomingMessage): Promise<GuardedAnswer> {
  const chunks: Buffer[] = []
  let length = 0
  const ended = Promise.withResolvers<void>()
  response.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    length += chunk.length
    if (length >= BODY_BYTES_MAX) ended.resolve()
  })
  for (const event of ['end', 'error', 'close']) response.on(event, () => ended.resolve())
  await ended.promise
  const body = Buffer.concat(chunks).subarray(0, BODY_BYTES_MAX).toString('utf8')
  return { kind: 'answered', status: response.statusCode ?? 0, body }
}

function whyNotAnswered(error: unknown): FetchFailure {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID' || CERTIFICATE_FAULT.test(code)) return 'certificate'
  return whyFailed(error)
}

/** The names that OpenSSL gives to what is wrong with a chain (X509_V_ERR_…). */
const CERTIFICATE_FAULT =
  /^(?:CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_(?:CA|PURPOSE)|ERROR_IN_CERT_)|_CERT_|^HOSTNAME_MISMATCH$/

function unreachable(why: FetchFailure, error: unknown): GuardedAnswer {
  const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : ''
  const sentence = why === 'certificate' ? `${SENTENCES[why]}${code}.` : `${SENTENCES[why]}.`
  return { kind: 'unreachable', why, sentence }
}

const SENTENCES: Readonly<Record<FetchFailure, string>> = {
  dns: 'The name has no address',
  certificate: "The receiver's certificate is not valid for its name",
  refused: 'The receiver refuses connections',
  timeout: 'The receiver did not answer in time',
  'no-route': 'There is no way to the address of the receiver',
  reset: 'The receiver broke the connection off',
  'not-http': 'What the receiver said was not HTTP',
  tls: 'The receiver does not speak TLS as it should',
  failed: 'The receiver could not be reached',
}

/** One context for all connections: given as `ca`, the roots would be read for each. */
function contextWith(roots: string | undefined): SecureContext {
  const minVersion = 'TLSv1.2'
  if (roots === undefined) return createSecureContext({ minVersion })
  try {
    const pem = readFileSync(roots, 'utf8')
    void new X509Certificate(pem)
    return createSecureContext({ minVersion, ca: [...getCACertificates('default'), pem] })
  } catch (cause) {
    throw badRoots(roots, cause)
  }
}

function badRoots(path: string, cause: unknown): NetError {
  return new NetError('net/bad-roots', `net.roots is ${path}: not a file of PEM certificates.`, {
    cause,
    fix: 'Correct the path, or leave net.roots out.',
  })
}
