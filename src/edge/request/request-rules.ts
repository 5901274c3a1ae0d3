import { type Hostname, parseWireHostname } from '../../kernel/index.ts'
import { BODY_BYTES_MAX, HEAD_FIELDS_MAX } from '../limits.ts'

// RFC 9112 (HTTP/1.1 messages) and RFC 9110 §7 (routing), stricter than both where two readers of
// one message could disagree: then the message is refused and never guessed at. What node:http
// refuses by itself (README) is not repeated.

/** A request's head as the parser saw it: names and values in turn, nothing joined or dropped. */
export interface RequestHead {
  readonly method: string
  readonly target: string
  readonly version: string
  readonly fields: readonly string[]
  readonly secure: boolean
}

/** Which rule refused. Stable: a label of the metrics. */
export type BrokenRule =
  | 'version'
  | 'method'
  | 'too-many-fields'
  | 'field-name'
  | 'field-value'
  | 'expectation'
  | 'host'
  | 'target'
  | 'authority'
  | 'framing'
  | 'body-length'
  | 'body-too-large'
  // HTTP/2 alone has these.
  | 'pseudo-field'
  | 'connection-field'

export type RequestVerdict =
  | {
      readonly kind: 'accepted'
      readonly hostname: Hostname
      /** Origin-form, whatever form it came in. */
      readonly target: string
      readonly body: 'none' | 'sized' | 'chunked'
      /** What `Content-Length` says, in bytes; `undefined` without one. */
      readonly length: number | undefined
      readonly upgrade: 'websocket' | 'none'
    }
  | {
      readonly kind: 'refused'
      readonly status: number
      readonly rule: BrokenRule
      readonly sentence: string
    }

/** A request that the rules let through. */
export type AcceptedRequest = Extract<RequestVerdict, { kind: 'accepted' }>

type Refusal = Extract<RequestVerdict, { kind: 'refused' }>

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
const METHODS_WITH_CHUNKED = new Set(['POST', 'PUT', 'PATCH'])

/**
 * Whether a body of unknown length may come with this method: node:http and http-proxy frame it anew
 * for these alone. With any other it would go out bare, and be read as the next request.
 */
export function mayLackLength(method: string): boolean {
  return METHODS_WITH_CHUNKED.has(method)
}

/** Judges one request by its head alone. Whose host it is, and on which connection, comes after. */
export function judgeRequest(head: RequestHead): RequestVerdict {
  const refusal = judgeStartLine(head)
  if (refusal) return refusal
  const noted = judgeFields(head.fields)
  if ('kind' in noted) return noted

  const { hosts } = noted
  const hostname = hosts.length === 1 ? hostnameOf(hosts[0] ?? '') : undefined
  if (!hostname) return refuse(400, 'host', 'Exactly one Host that is a host name is needed.')

  const target = originForm(head, hostname)
  if (typeof target !== 'string') return target
  const framing = framingOf(head, noted)
  if (framing.kind === 'refused') return framing
  if (noted.expectations.some((value) => value.toLowerCase() !== '100-continue')) {
    return refuse(417, 'expectation', 'What is expected here cannot be promised.')
  }
  const { body, length } = framing
  return { kind: 'accepted', hostname, target, body, length, upgrade: upgradeOf(head, noted) }
}

function judgeStartLine({ method, version }: RequestHead): Refusal | undefined {
  // node:http also takes HTTP/2.0 on a connection that speaks 1.1.
  if (version !== '1.1' && version !== '1.0') {
    return refuse(505, 'version', 'Only HTTP/1.1 and HTTP/1.0 are spoken here.')
  }
  if (method === 'CONNECT' || method === 'TRACE') {
    return refuse(405, 'method', `${method} is not allowed here.`)
  }
  return METHODS.has(method) ? undefined : refuse(501, 'method', 'This method is not known here.')
}

/** The values of the fields that rules look at, in the order they came. */
interface NotedFields {
  readonly hosts: string[]
  readonly lengths: string[]
  readonly codings: string[]
  readonly expectations: string[]
  readonly protocols: string[]
}

/** One pass over all fields, because each request of HTTP/2 pays for it: half of what five passes cost. */
function judgeFields(fields: readonly string[]): NotedFields | Refusal {
  if (fields.length > 2 * HEAD_FIELDS_MAX) {
    return refuse(431, 'too-many-fields', `More than ${HEAD_FIELDS_MAX} header fields.`)
  }
  const noted: NotedFields = {
    hosts: [],
    lengths: [],
    codings: [],
    expectations: [],
    protocols: [],
  }
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] ?? ''
    const value = fields[index + 1] ?? ''
    // Many a server behind us reads X_Forwarded_For as X-Forwarded-For (CGI's naming).
    if (name.includes('_')) {
      return refuse(400, 'field-name', 'A header field has an underscore in its name.')
    }
    // obs-text (RFC 9110 §5.5): a reader may take it for Latin-1, UTF-8 or the end of the value.
    if (NOT_ASCII.test(value)) {
      return refuse(400, 'field-value', 'A header field has bytes that are not ASCII.')
    }
    listFor(name, noted)?.push(value)
  }
  return noted
}

const NOT_ASCII = /[^\t\x20-\x7e]/

function listFor(name: string, noted: NotedFields): string[] | undefined {
  switch (name.toLowerCase()) {
    case 'host':
      return noted.hosts
    case 'content-length':
      return noted.lengths
    case 'transfer-encoding':
      return noted.codings
    case 'expect':
      return noted.expectations
    case 'upgrade':
      return noted.protocols
    default:
      return undefined
  }
}

/** The host of a `Host` field or an authority, without its port; no user, no path, no list. */
export function hostnameOf(authority: string): Hostname | undefined {
  const match = /^([A-Za-z0-9.-]+)(?::(\d{1,5}))?$/.exec(authority)
  const [, name, port] = match ?? []
  if (name === undefined || Number(port ?? 0) > 65_535) return undefined
  return parseWireHostname(name)
}

/** RFC 9112 §3.2.2: absolute-form is accepted, and agrees with `Host` or is refused. */
function originForm({ target, secure }: RequestHead, hostname: Hostname): string | Refusal {
  // Bytes beyond ASCII: one reader takes them for Latin-1, another one for UTF-8 or a line's end.
  if (/[^\x21-\x7e]|[#"<>|]/.test(target)) {
    return refuse(400, 'target', 'The target has characters that do not belong into one.')
  }
  if (target.startsWith('/')) return target
  const [, scheme, authority = '', rest = ''] = /^(https?):\/\/([^/?]*)(.*)$/i.exec(target) ?? []
  if (scheme === undefined) return refuse(400, 'target', 'The target is neither a path nor a URL.')
  const isSame = scheme.toLowerCase() === (secure ? 'https' : 'http')
  if (!isSame || hostnameOf(authority) !== hostname) {
    return refuse(400, 'authority', 'The target and the Host do not agree.')
  }
  return rest.startsWith('/') ? rest : `/${rest}`
}

interface Framing extends Pick<AcceptedRequest, 'body' | 'length'> {
  readonly kind: 'framed'
}

function framingOf(head: RequestHead, { lengths, codings }: NotedFields): Framing | Refusal {
  if (codings.length > 0) return chunkedFraming(head, codings, lengths.length)
  const [digits] = lengths
  if (digits === undefined) return { kind: 'framed', body: 'none', length: undefined }
  if (lengths.length > 1 || !/^(?:0|[1-9]\d{0,14})$/.test(digits)) {
    return refuse(400, 'body-length', 'The Content-Length is not one plain number.')
  }
  const length = Number(digits)
  if (length > BODY_BYTES_MAX) return tooLarge()
  return { kind: 'framed', body: length === 0 ? 'none' : 'sized', length }
}

function chunkedFraming(
  { method, version }: RequestHead,
  codings: readonly string[],
  lengths: number,
): Framing | Refusal {
  // RFC 9112 §6.1: chunked in HTTP/1.0, or beside a length, is how requests are smuggled.
  const isPlain = codings.length === 1 && codings[0]?.toLowerCase() === 'chunked'
  if (!isPlain || lengths > 0 || version !== '1.1') {
    return refuse(400, 'framing', 'The end of the body is not certain.')
  }
  // http-proxy gives a chunked DELETE or OPTIONS `Content-Length: 0` and sends the body after it,
  // and node:http sends one of GET without any framing: the backend would read a second request.
  if (!mayLackLength(method)) {
    return refuse(411, 'framing', `${method} with a body needs a Content-Length.`)
  }
  return { kind: 'framed', body: 'chunked', length: undefined }
}

/** The refusal of a body that is too large, by its length or once too much of it has come. */
export function tooLarge(): Refusal {
  return refuse(413, 'body-too-large', `Bodies end at ${BODY_BYTES_MAX} bytes here.`)
}

/** RFC 6455 §4.1. Any other wish to change the protocol MAY be ignored (RFC 9110 §7.8), and is. */
function upgradeOf(
  { method, version }: RequestHead,
  { protocols }: NotedFields,
): 'websocket' | 'none' {
  const isWebSocket = protocols.length === 1 && protocols[0]?.toLowerCase() === 'websocket'
  return isWebSocket && method === 'GET' && version === '1.1' ? 'websocket' : 'none'
}

function refuse(status: number, rule: BrokenRule, sentence: string): Refusal {
  return { kind: 'refused', status, rule, sentence }
}
