import type { Connection } from '../request/connection.ts'
import { linesForBackend } from '../request/forwarded-headers.ts'
import type { Asked } from '../request/passage.ts'
import {
  type AcceptedRequest,
  type BrokenRule,
  judgeRequest,
  mayLackLength,
} from '../request/request-rules.ts'

// RFC 9113 §8.2 and §8.3 (HTTP/2: fields and pseudo-fields), told in the words of HTTP/1.1 and then
// judged by the rules that hold there: what a backend gets is HTTP/1.1, whoever asked. nghttp2 has
// refused most of what is refused here; a release that stops doing so must not open a door.

/** Names and values in turn, as they arrived: pseudo-fields first. */
export type Http2Fields = readonly string[]

export type Http2Verdict =
  | {
      readonly kind: 'accepted'
      readonly asked: Asked
      /** Bytes of the body; `unknown`: until the stream ends. */
      readonly length: number | 'unknown'
      /** The visitor waits for a word before it sends the body (RFC 9110 §10.1.1). */
      readonly expectsContinue: boolean
    }
  | {
      readonly kind: 'refused'
      readonly status: number
      readonly rule: BrokenRule
      readonly sentence: string
    }

type Refusal = Extract<Http2Verdict, { kind: 'refused' }>

/** Judges one request by its head. `endsHere`: no body follows. */
export function judgeHttp2(
  fields: Http2Fields,
  connection: Connection,
  { endsHere }: { readonly endsHere: boolean },
): Http2Verdict {
  const read = readHead(fields)
  if ('kind' in read) return read
  const { method, scheme, path } = read
  if (scheme !== 'https' && method !== 'CONNECT') {
    return refuse('authority', 'Only https is spoken on this connection.')
  }
  const head = { method, target: path, version: '1.1', fields: read.fields, secure: true }
  const verdict = judgeRequest(head)
  if (verdict.kind === 'refused') return verdict
  // Origin-form only (§8.3.1); what else HTTP/1.1 allows would be a second way to name a host.
  if (!path.startsWith('/')) {
    return refuse('target', 'The target is not a path.')
  }
  const length = lengthOf(method, verdict, endsHere)
  if (typeof length === 'object') return length
  const { hostname, target } = verdict
  const lines = linesForBackend(read.fields)
  const { userAgent, expectsContinue } = read
  const asked = { method, hostname, target, lines, userAgent, connection }
  return { kind: 'accepted', asked, length, expectsContinue }
}

interface ReadHead {
  readonly method: string
  readonly scheme: string
  readonly path: string
  /** As HTTP/1.1 has them: with one `Host`, and cookies in one field. */
  readonly fields: readonly string[]
  readonly userAgent: string
  readonly expectsContinue: boolean
}

function readHead(raw: Http2Fields): ReadHead | Refusal {
  const pseudo = new Map<string, string>()
  let index = 0
  for (; raw[index]?.startsWith(':'); index += 2) {
    const name = raw[index] ?? ''
    if (!PSEUDO.has(name) || pseudo.has(name)) return notOneRequest()
    pseudo.set(name, raw[index + 1] ?? '')
  }
  const read = readFields(raw, index)
  if ('kind' in read) return read
  const { fields, hosts, cookies, userAgent, expect } = read
  // §8.2.3: cookies may come in crumbs, and HTTP/1.1 takes them in one field.
  if (cookies.length > 0) fields.push('cookie', cookies.join('; '))
  const authority = pseudo.get(':authority') ?? hosts[0]
  if (authority !== undefined) fields.push('host', authority)
  if (hosts.length > 1 || hosts.some((host) => !isSame(host, authority))) {
    return refuse('host', 'The authority and the Host do not agree.')
  }
  return {
    method: pseudo.get(':method') ?? '',
    scheme: pseudo.get(':scheme') ?? '',
    path: pseudo.get(':path') ?? '',
    fields,
    userAgent,
    expectsContinue: expect.toLowerCase() === '100-continue',
  }
}

const PSEUDO = new Set([':method', ':scheme', ':authority', ':path'])

/** What is wanted of the fields, in one pass. */
interface SortedFields {
  readonly fields: string[]
  readonly hosts: string[]
  readonly cookies: string[]
  userAgent: string
  expect: string
}

function readFields(raw: Http2Fields, from: number): SortedFields | Refusal {
  const sorted: SortedFields = { fields: [], hosts: [], cookies: [], userAgent: '', expect: '' }
  for (let index = from; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? ''
    const value = raw[index + 1] ?? ''
    const refusal = judgeField(name, value)
    if (refusal) return refusal
    sortField(sorted, name, value)
  }
  return sorted
}

function sortField(sorted: SortedFields, name: string, value: string): void {
  switch (name) {
    case 'host':
      sorted.hosts.push(value)
      return
    case 'cookie':
      sorted.cookies.push(value)
      return
    case 'user-agent':
      sorted.userAgent = value
      break
    case 'expect':
      sorted.expect = value
      break
  }
  sorted.fields.push(name, value)
}

function judgeField(name: string, value: string): Refusal | undefined {
  if (name.startsWith(':')) return notOneRequest()
  if (!/^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name)) {
    return refuse('field-name', 'A header field has a name that HTTP/2 does not allow.')
  }
  if (CONNECTION_SPECIFIC.has(name) || (name === 'te' && value !== 'trailers')) {
    return refuse('connection-field', 'A header field concerns connections of HTTP/1.1 only.')
  }
  return undefined
}

/** RFC 9113 §8.2.2. */
const CONNECTION_SPECIFIC = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
])

function isSame(host: string, authority: string | undefined): boolean {
  return host.toLowerCase() === authority?.toLowerCase()
}

function notOneRequest(): Refusal {
  return refuse('pseudo-field', 'The pseudo-fields are not those of one request.')
}

/** Bodies without a length are told from none by the stream's end (§8.1), not by a field. */
function lengthOf(
  method: string,
  { body, length }: AcceptedRequest,
  endsHere: boolean,
): number | 'unknown' | Refusal {
  if (endsHere) {
    return body === 'none' ? 0 : refuse('framing', 'A body is announced and none comes.')
  }
  if (length !== undefined) return length
  if (mayLackLength(method)) return 'unknown'
  // Some clients end a GET with an empty frame. Should it hold a body, nobody reads it.
  if (method === 'GET' || method === 'HEAD') return 0
  return refuse('framing', `${method} with a body needs a Content-Length.`, 411)
}

function refuse(rule: BrokenRule, sentence: string, status = 400): Refusal {
  return { kind: 'refused', status, rule, sentence }
}
