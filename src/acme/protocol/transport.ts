/** HTTPS as ACME uses it (RFC 8555 §6.1). Not done: redirects, which no CA's API needs. */
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls'
import { AcmeError, fixForTls } from '../errors.ts'

export interface HttpReply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** Parsed if it is JSON, else the text. */
  readonly data: unknown
}

export interface HttpQuestion {
  readonly method: 'GET' | 'HEAD' | 'POST'
  readonly url: string
  readonly body?: string | undefined
}

/** Asks one CA over kept connections. */
export interface Transport extends Disposable {
  /**
   * Throws `acme/unreachable` when there is no whole answer in time, whatever the reason, and
   * `acme/bad-answer` when it is too long. An answer of any status is a value.
   */
  send(question: HttpQuestion, signal: AbortSignal): Promise<HttpReply>
}

/** A CA that validates slowly answers at once and validates later; nothing takes longer. */
const REQUEST_MS_MAX = 30_000
/** A chain is 5 KB, an orders list may be long; whoever sends more means harm. */
const ANSWER_BYTES_MAX = 1024 * 1024
const SOCKETS_MAX = 64
/** CAs close idle connections after a minute or so; one that we close first is never lost amid a request. */
const IDLE_MS_MAX = 20_000

/** `extraRootsPem` are trusted besides the machine's own roots. */
export function createTransport({
  extraRootsPem,
  requestMsMax = REQUEST_MS_MAX,
}: {
  readonly extraRootsPem: string | undefined
  readonly requestMsMax?: number
}): Transport {
  const agent = new Agent({
    keepAlive: true,
    maxSockets: SOCKETS_MAX,
    timeout: IDLE_MS_MAX,
    ...(extraRootsPem === undefined ? {} : { secureContext: contextTrusting(extraRootsPem) }),
  })
  return {
    send: (question, signal) => exchange(question, { agent, requestMsMax }, signal),
    [Symbol.dispose]: () => agent.destroy(),
  }
}

/** One context for all connections: given as `ca`, the roots are part of each look-up of a socket. */
function contextTrusting(extraRootsPem: string): SecureContext {
  return createSecureContext({ ca: [...getCACertificates('default'), extraRootsPem] })
}

interface Line {
  readonly agent: Agent
  readonly requestMsMax: number
}

async function exchange(
  question: HttpQuestion,
  { agent, requestMsMax }: Line,
  signal: AbortSignal,
): Promise<HttpReply> {
  signal.throwIfAborted()
  const { promise: answered, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const asking = ask(question, agent, signal)
  asking.on('error', reject)
  asking.once('response', resolve)
  // Until the last byte of the answer. A signal for each request would cost more than its signature.
  const deadline = setTimeout(
    () => asking.destroy(new DOMException('', 'TimeoutError')),
    requestMsMax,
  )
  try {
    const response = await answered
    const text = await readText(response)
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      // The answer to a HEAD names a type, too, and has no body.
      data: isJson(response) && text !== '' ? parseJson(text) : text,
    }
  } catch (cause) {
    signal.throwIfAborted()
    if (cause instanceof AcmeError) throw cause
    throw noAnswer(cause)
  } finally {
    clearTimeout(deadline)
  }
}

function ask(
  { url, method, body }: HttpQuestion,
  agent: Agent,
  signal: AbortSignal,
): ClientRequest {
  const headers = {
    'User-Agent': 'Postern (acme-client 5.4)',
    ...(body === undefined ? {} : { 'Content-Type': 'application/jose+json' }),
    ...(body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) }),
  }
  return request(url, { method, agent, headers, signal }).end(body)
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response) {
    if (!Buffer.isBuffer(chunk)) continue
    chunks.push(chunk)
    bytes += chunk.length
    // Leaving the loop destroys the response.
    if (bytes > ANSWER_BYTES_MAX) throw badAnswer('it is far too long')
  }
  return Buffer.concat(chunks).toString('utf8')
}

function isJson({ headers }: IncomingMessage): boolean {
  return /^application\/(?:[a-z]+\+)?json\b/.test(headers['content-type'] ?? '')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw badAnswer('it is not the JSON it says it is', cause)
  }
}

function badAnswer(message: string, cause?: unknown): AcmeError {
  return new AcmeError('acme/bad-answer', message, { cause })
}

function noAnswer(cause: unknown): AcmeError {
  const why = whyNoAnswer(cause)
  return new AcmeError('acme/unreachable', why, { cause, fix: fixForTls(why) })
}

/** Codes, not messages: those name addresses. */
function whyNoAnswer(cause: unknown): string {
  if (!(cause instanceof Error)) return 'unknown failure'
  if (cause.name === 'AbortError' || cause.name === 'TimeoutError') {
    return 'no answer in time'
  }
  return 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.name
}
