import { type Hostname, unreachable } from '../../kernel/index.ts'
import { HEAD_BYTES_MAX, HEAD_FIELDS_MAX } from '../limits.ts'
import { type HeaderLines, toHeaderLines } from '../request/header-lines.ts'
import { hostnameOf } from '../request/request-rules.ts'
import { type FieldMeaning, meaningOf } from './field-names.ts'

// RFC 9112, one shape of it: a GET or HEAD in origin-form without a body, in the one spelling that
// browsers, proxies and libraries use. Not refused but left to the full reader: every other method,
// version and form, empty values, more or less than one space after a colon, whatever frames a body
// or wishes to speak something else. A checked line that is copied is a line written anew, because
// what is accepted has no second spelling.

/** A head that can be read in one way only. */
export interface PlainHead {
  readonly kind: 'plain'
  readonly method: 'GET' | 'HEAD'
  readonly hostname: Hostname
  readonly target: string
  /** The fields a backend may see. */
  readonly lines: HeaderLines
  readonly userAgent: string
  readonly keepsAlive: boolean
  /** How long it is, empty line included. */
  readonly bytes: number
}

export type HeadVerdict =
  | PlainHead
  | { readonly kind: 'incomplete' }
  /** Somebody else's to read, or to refuse. */
  | { readonly kind: 'not-plain' }

/** Reads heads from text that has one character for each byte (Latin-1). */
export interface HeadReader {
  read(text: string, from: number): HeadVerdict
}

/** Values of `Host` remembered with what they mean; one that is new costs a microsecond. */
const AUTHORITIES_MAX = 4096
/** Names of visitors' programs remembered: the common ones, at most half a megabyte of them. */
const AGENTS_MAX = 1024
/** Longer ones are rare, and copied each time. */
const AGENT_CHARACTERS_MAX = 512

export function createHeadReader(): HeadReader {
  const hostnames = new Map<string, Hostname>()
  const toHostname = (authority: string): Hostname | undefined => {
    const known = hostnames.get(authority)
    if (known !== undefined) return known
    const own = copyOf(authority)
    const hostname = hostnameOf(own)
    if (hostname === undefined) return undefined
    if (hostnames.size >= AUTHORITIES_MAX) hostnames.clear()
    hostnames.set(own, hostname)
    return hostname
  }
  const agents = new Map<string, string>()
  const ownAgent = (agent: string): string => {
    const known = agents.get(agent)
    if (known !== undefined) return known
    const own = copyOf(agent)
    if (own.length > AGENT_CHARACTERS_MAX) return own
    if (agents.size >= AGENTS_MAX) agents.clear()
    agents.set(own, own)
    return own
  }

  return {
    read: (text, from) => {
      const start = readStartLine(text, from)
      if (typeof start === 'string') return verdictOf(start)
      const fields = new Fields(text, start.end)
      const early = fields.readAll()
      if (early) return verdictOf(early)
      const bytes = fields.end - from
      const hostname = bytes > HEAD_BYTES_MAX ? undefined : toHostname(fields.authority)
      if (hostname === undefined) return NOT_PLAIN
      return {
        kind: 'plain',
        method: start.method,
        hostname,
        target: start.target,
        lines: toHeaderLines(fields.lines),
        userAgent: ownAgent(fields.userAgent),
        keepsAlive: fields.connection !== 'close',
        bytes,
      }
    },
  }
}

/**
 * A slice keeps alive what it was cut from. Hostnames are remembered, and so are the agents of hits
 * that wait for a disk: none of them may hold a whole head.
 */
function copyOf(slice: string): string {
  return Buffer.from(slice, 'latin1').toString('latin1')
}

/** The reading of a part ends early: more bytes could make it plain, or none could. */
type Early = 'incomplete' | 'not-plain'

const INCOMPLETE: HeadVerdict = { kind: 'incomplete' }
const NOT_PLAIN: HeadVerdict = { kind: 'not-plain' }

function verdictOf(early: Early): HeadVerdict {
  return early === 'incomplete' ? INCOMPLETE : NOT_PLAIN
}

interface StartLine {
  readonly method: 'GET' | 'HEAD'
  readonly target: string
  readonly end: number
}

function readStartLine(text: string, from: number): StartLine | Early {
  const method = text.startsWith('GET /', from) ? 'GET' : 'HEAD'
  if (method === 'HEAD' && !text.startsWith('HEAD /', from)) {
    return isCutShort(text, from, 'GET /') ? 'incomplete' : stopAt(text, from, 'HEAD /')
  }
  const targetAt = from + method.length + 1
  const targetEnd = skip(text, targetAt, TARGET_BYTES)
  if (!text.startsWith(VERSION, targetEnd)) return stopAt(text, targetEnd, VERSION)
  return { method, target: text.slice(targetAt, targetEnd), end: targetEnd + VERSION.length }
}

const VERSION = ' HTTP/1.1\r\n'

/** The fields of a head, as far as they have been read. */
class Fields {
  readonly #text: string
  /** Where the line begins that is read next. */
  end: number
  /** Neighbouring lines that are kept are copied as one piece, which begins here. */
  #keptAt: number
  lines = ''
  authority = ''
  userAgent = ''
  connection = ''

  constructor(text: string, from: number) {
    this.#text = text
    this.end = from
    this.#keptAt = from
  }

  /** Reads all lines and the empty one. Early: it is not known, or known to be otherwise. */
  readAll(): Early | undefined {
    const text = this.#text
    for (let count = 0; text.charCodeAt(this.end) !== CR; count += 1) {
      const early = count < HEAD_FIELDS_MAX ? this.#readLine() : 'not-plain'
      if (early) return early
    }
    if (!text.startsWith(CR_LF, this.end)) return stopAt(text, this.end, CR_LF)
    this.#copyKept(this.end)
    this.end += CR_LF.length
    return isKnownConnection(this.connection) ? undefined : 'not-plain'
  }

  #readLine(): Early | undefined {
    const text = this.#text
    const nameEnd = skip(text, this.end, NAME_BYTES)
    if (nameEnd === this.end || !text.startsWith(COLON_SPACE, nameEnd)) {
      return stopAt(text, nameEnd, COLON_SPACE)
    }
    const valueAt = nameEnd + COLON_SPACE.length
    const valueEnd = skip(text, valueAt, VALUE_BYTES)
    if (!text.startsWith(CR_LF, valueEnd)) return stopAt(text, valueEnd, CR_LF)
    // Empty, or with blanks at an end: readers strip these, or not.
    if (isBlank(text, valueAt) || isBlank(text, valueEnd - 1)) return 'not-plain'

    const meaning = meaningOf(text, this.end, nameEnd)
    const isClear = meaning === 'kept' || this.#note(meaning, valueAt, valueEnd)
    this.end = valueEnd + CR_LF.length
    return isClear ? undefined : 'not-plain'
  }

  #note(meaning: Exclude<FieldMeaning, 'kept'>, valueAt: number, valueEnd: number): boolean {
    const value = this.#text.slice(valueAt, valueEnd)
    switch (meaning) {
      case 'user-agent':
        if (this.userAgent === '') this.userAgent = value
        return true
      case 'host':
        if (this.authority !== '') return false
        this.authority = value
        break
      case 'connection':
        if (this.connection !== '') return false
        this.connection = value.toLowerCase()
        break
      case 'dropped':
        break
      case 'unclear':
        return false
      default:
        unreachable(meaning)
    }
    this.#copyKept(this.end)
    this.#keptAt = valueEnd + CR_LF.length
    return true
  }

  #copyKept(until: number): void {
    if (this.#keptAt < until) this.lines += this.#text.slice(this.#keptAt, until)
  }
}

function isKnownConnection(value: string): boolean {
  return value === '' || value === 'keep-alive' || value === 'close'
}

const CR = 0x0d
const CR_LF = '\r\n'
const COLON_SPACE = ': '

/** At `at`, `expected` does not stand. Could it still come? */
function stopAt(text: string, at: number, expected: string): Early {
  return isCutShort(text, at, expected) ? 'incomplete' : 'not-plain'
}

function isCutShort(text: string, at: number, expected: string): boolean {
  return text.length - at < expected.length && expected.startsWith(text.slice(at))
}

/** Whether there is a blank, or CR: where a value is empty. */
function isBlank(text: string, at: number): boolean {
  const code = text.charCodeAt(at)
  return code <= 0x20
}

/** The first place from `at` on with a byte that is not allowed. */
function skip(text: string, at: number, allowed: Uint8Array): number {
  let end = at
  while (allowed[text.charCodeAt(end)] === 1) end += 1
  return end
}

const ALPHANUMERIC = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
/** RFC 3986 §3.3 and §3.4, and the brackets that forms put into queries. */
const TARGET_BYTES = bytesOf(`${ALPHANUMERIC}-._~:/?@!$&'()*+,;=%[]`)
/** RFC 9110 §5.6.2 without the underscore, which CGI reads as a hyphen. */
const NAME_BYTES = bytesOf(`${ALPHANUMERIC}!#$%&'*+-.^\`|~`)
/** RFC 9110 §5.5 without bytes beyond ASCII. */
const VALUE_BYTES = bytesOf(
  String.fromCharCode(0x09, ...Array.from({ length: 0x7f - 0x20 }, (_, index) => 0x20 + index)),
)

function bytesOf(characters: string): Uint8Array {
  const table = new Uint8Array(0x100)
  for (const character of characters) table[character.charCodeAt(0)] = 1
  return table
}
