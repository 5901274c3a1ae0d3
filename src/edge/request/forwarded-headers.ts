import { isIPv6 } from 'node:net'
import type { Hostname } from '../../kernel/index.ts'
import { fieldsOf, type HeaderLines, toHeaderLines } from './header-lines.ts'

// RFC 9110 §7.6.1 (hop-by-hop fields), RFC 7239 (Forwarded) and the X-Forwarded-… habit.

/** What the edge knows of a request and vouches for. */
export interface ForwardingFacts {
  readonly hostname: Hostname
  readonly address: string
  readonly secure: boolean
  /** The port the visitor came to. */
  readonly port: number
  readonly requestId: string
  readonly vouched?: HeaderLines | undefined
  readonly body: 'none' | 'sized' | 'chunked'
  readonly upgrade: 'websocket' | 'none'
}

/** Fields that concern one connection only (RFC 9110 §7.6.1, and two that browsers made up). */
export const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Fields by which backends learn who asks, for what and how: only ours may reach them. */
export const SPOOFABLE: ReadonlySet<string> = new Set([
  'cf-connecting-ip',
  'client-ip',
  'fastly-client-ip',
  'forwarded',
  'forwarded-for',
  'front-end-https',
  'host',
  'proxy', // becomes HTTP_PROXY in CGI programs (CVE-2016-5385)
  'true-client-ip',
  'via',
  'x-azure-clientip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-host',
  'x-http-host-override',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-original-forwarded-for',
  'x-original-host',
  'x-original-method',
  'x-original-url',
  'x-originating-ip',
  'x-proxyuser-ip',
  'x-real-ip',
  'x-remote-addr',
  'x-remote-ip',
  'x-request-id',
  'x-rewrite-url',
  'x-scheme',
])

/** What a `Connection` field may not take away: without it the backend reads another message. */
const NOT_CONNECTION_LISTED = new Set(['content-length'])

/** Header fields by lower-case name; a repeated field stays repeated. */
export type HeaderFields = Record<string, string | string[]>

/** The head that the backend gets: the visitor's own fields, and those only we can know. */
export function headersForBackend(fields: readonly string[], facts: ForwardingFacts): HeaderFields {
  const headers = withoutHopByHop(fields, (name) => isSpoofable(name))
  const scheme = facts.secure ? 'https' : 'http'
  headers['host'] = facts.hostname
  headers['x-forwarded-for'] = facts.address
  headers['x-forwarded-host'] = facts.hostname
  headers['x-forwarded-port'] = String(facts.port)
  headers['x-forwarded-proto'] = scheme
  headers['forwarded'] = `for=${nodeOf(facts.address)};host=${facts.hostname};proto=${scheme}`
  headers['x-request-id'] = facts.requestId
  for (const [name, value] of fieldsOf(facts.vouched ?? NO_LINES))
    headers[name.toLowerCase()] = value
  if (facts.body === 'chunked') headers['transfer-encoding'] = 'chunked'
  if (facts.upgrade === 'websocket') {
    headers['connection'] = 'Upgrade'
    headers['upgrade'] = 'websocket'
  }
  return headers
}

const NO_LINES = toHeaderLines('')

/** The visitor's own fields that a backend may see, from names and values in turn. */
export function linesForBackend(fields: readonly string[]): HeaderLines {
  return linesWithoutHopByHop(fields, isSpoofable)
}

/** The backend's own fields that a visitor may see. */
export function linesForVisitor(fields: readonly string[]): HeaderLines {
  return linesWithoutHopByHop(fields, (name) => name === 'server')
}

/** Where a body ends is not among them: whoever writes the message says that. */
function linesWithoutHopByHop(
  fields: readonly string[],
  isDropped: (name: string) => boolean,
): HeaderLines {
  const listed = connectionListed(fields)
  let lines = ''
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const written = fields[index] ?? ''
    const name = written.toLowerCase()
    if (HOP_BY_HOP.has(name) || listed.has(name) || isDropped(name)) continue
    if (name !== 'content-length') lines += `${written}: ${fields[index + 1] ?? ''}\r\n`
  }
  return toHeaderLines(lines)
}

/** The head that the visitor gets. `Server` is left out: whose software answers is nobody's business. */
export function headersForVisitor(fields: readonly string[]): HeaderFields {
  return withoutHopByHop(fields, (name) => name === 'server')
}

function withoutHopByHop(
  fields: readonly string[],
  isDropped: (name: string) => boolean,
): HeaderFields {
  const listed = connectionListed(fields)
  // A Map, because a field may be called `constructor`.
  const headers = new Map<string, string | string[]>()
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index]?.toLowerCase() ?? ''
    const value = fields[index + 1] ?? ''
    if (HOP_BY_HOP.has(name) || listed.has(name) || isDropped(name)) continue
    const present = headers.get(name)
    headers.set(name, present === undefined ? value : [present, value].flat())
  }
  return Object.fromEntries(headers)
}

function connectionListed(fields: readonly string[]): ReadonlySet<string> {
  const listed = new Set<string>()
  for (let index = 0; index + 1 < fields.length; index += 2) {
    if (fields[index]?.toLowerCase() !== 'connection') continue
    for (const token of (fields[index + 1] ?? '').split(',')) listed.add(token.trim().toLowerCase())
  }
  return listed.difference(NOT_CONNECTION_LISTED)
}

/**
 * Whether a field by this lower-case name may never pass from a visitor to a backend. Underscore
 * twins count as the name they are read as; the rules refuse them long before.
 */
export function isSpoofable(name: string): boolean {
  const read = name.replaceAll('_', '-')
  return read.startsWith('x-forwarded') || read.startsWith('postern-') || SPOOFABLE.has(read)
}

/** RFC 7239 §6: an IPv6 address is written in brackets and quotes. */
export function nodeOf(address: string): string {
  return isIPv6(address) ? `"[${address}]"` : address
}
