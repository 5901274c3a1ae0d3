import { BACKEND_HEAD_BYTES_MAX } from '../limits.ts'
import { HOP_BY_HOP } from '../request/forwarded-headers.ts'
import { type HeaderLines, toHeaderLines } from '../request/header-lines.ts'

// RFC 9112 §4 (status line), §5 (fields), and RFC 9110 §7.6.1 (fields of one connection). Not done:
// bare LF, folded lines and spaces before a colon, which §2.2 and §5 let a recipient repair. An answer
// of which two readers could make two things is broken.

/** The head of a backend's answer, as far as anybody needs it. */
export interface ResponseHead {
  readonly kind: 'head'
  readonly version: '1.1' | '1.0'
  readonly status: number
  /** What the visitor may see: no fields of one connection, no framing, no `Server`. */
  readonly lines: HeaderLines
  /** Its bytes, the empty line included. */
  readonly size: number
  /** The value of Content-Length, and of Transfer-Encoding; joined by commas if repeated. */
  readonly contentLength: string | undefined
  readonly transferEncoding: string | undefined
  readonly connection: string | undefined
  readonly keepAlive: string | undefined
}

export type HeadReading =
  | ResponseHead
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'broken' }

const INCOMPLETE: HeadReading = { kind: 'incomplete' }
const BROKEN: HeadReading = { kind: 'broken' }

/** A whole head but its empty line: names, values and line ends are where they belong, or nothing is. */
const HEAD =
  /^HTTP\/1\.[01] [1-5]\d\d(?: [\t\x20-\x7e\x80-\xff]*)?\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n)*$/
/** Line ends and bytes that no later byte can put right. */
const HOPELESS = /(?:^|[^\r])\n|\r[^\n]|[^\t\r\n\x20-\x7e\x80-\xff]/
const START = 'HTTP/1.'

/** Reads a head from the first byte of `bytes` on. Says as early as it can that there is none. */
export function readResponseHead(bytes: Buffer): HeadReading {
  const end = bytes.indexOf('\r\n\r\n', 0, 'latin1')
  if (end < 0) return isHopeless(bytes) ? BROKEN : INCOMPLETE
  const size = end + 4
  if (size > BACKEND_HEAD_BYTES_MAX) return BROKEN
  const text = bytes.toString('latin1', 0, end + 2)
  if (!HEAD.test(text)) return BROKEN
  const fields = readFields(text)
  return {
    kind: 'head',
    version: text.startsWith('1', START.length) ? '1.1' : '1.0',
    status: Number(text.slice(9, 12)),
    lines: toHeaderLines(withoutListed(fields.lines, fields.connection)),
    size,
    contentLength: fields.contentLength,
    transferEncoding: fields.transferEncoding,
    connection: fields.connection,
    keepAlive: fields.keepAlive,
  }
}

function isHopeless(bytes: Buffer): boolean {
  if (bytes.length >= BACKEND_HEAD_BYTES_MAX) return true
  const text = bytes.toString('latin1')
  return HOPELESS.test(text) || !START.startsWith(text.slice(0, START.length))
}

/** What stays here, by name. The rest of a head is the visitor's. */
type Slot = 'contentLength' | 'transferEncoding' | 'connection' | 'keepAlive' | 'dropped'

const SLOTS: ReadonlyMap<string, Slot> = new Map<string, Slot>([
  ...[...HOP_BY_HOP].map((name) => [name, 'dropped'] as const),
  // Whose software answers is nobody's business.
  ['server', 'dropped'],
  ['content-length', 'contentLength'],
  ['transfer-encoding', 'transferEncoding'],
  ['connection', 'connection'],
  ['keep-alive', 'keepAlive'],
])
/** So that the names of most fields need not be looked at. */
const SLOT_LENGTHS: readonly boolean[] = slotLengths()

type Fields = Record<Slot, string | undefined> & { lines: string }

/** Goes over the lines of a head that is well formed, and copies what is kept in as few pieces as possible. */
function readFields(text: string): Fields {
  const fields: Fields = {
    lines: '',
    contentLength: undefined,
    transferEncoding: undefined,
    connection: undefined,
    keepAlive: undefined,
    dropped: undefined,
  }
  let at = text.indexOf('\r\n') + 2
  let keptFrom = at
  while (at < text.length) {
    const colon = text.indexOf(':', at)
    const end = text.indexOf('\r\n', colon)
    const slot = slotOf(text, at, colon)
    if (slot !== undefined || !isPlainValue(text, colon, end)) {
      fields.lines += text.slice(keptFrom, at)
      keptFrom = end + 2
      const value = trimmed(text, colon + 1, end)
      if (slot === undefined) fields.lines += `${text.slice(at, colon)}: ${value}\r\n`
      else fields[slot] = joined(fields[slot], value)
    }
    at = end + 2
  }
  fields.lines += text.slice(keptFrom)
  return fields
}

function slotOf(text: string, at: number, colon: number): Slot | undefined {
  if (SLOT_LENGTHS[colon - at] !== true) return undefined
  return SLOTS.get(text.slice(at, colon).toLowerCase())
}

/** One space, a value, and nothing after it: as we would write it. */
function isPlainValue(text: string, colon: number, end: number): boolean {
  return (
    text.charCodeAt(colon + 1) === SPACE &&
    end > colon + 2 &&
    !isBlank(text, colon + 2) &&
    !isBlank(text, end - 1)
  )
}

/** RFC 9110 §5.5: spaces and tabs, and no others, are not part of a value. */
function trimmed(text: string, start: number, end: number): string {
  let from = start
  let to = end
  while (from < to && isBlank(text, from)) from += 1
  while (to > from && isBlank(text, to - 1)) to -= 1
  return text.slice(from, to)
}

function isBlank(text: string, at: number): boolean {
  const code = text.charCodeAt(at)
  return code === SPACE || code === TAB
}

function joined(present: string | undefined, value: string): string {
  return present === undefined ? value : `${present},${value}`
}

/** RFC 9110 §7.6.1: what `Connection` lists was meant for us, and goes no further. */
function withoutListed(lines: string, connection: string | undefined): string {
  if (connection === undefined || onlyWordOf(connection) !== undefined) return lines
  const listed = new Set(tokensOf(connection))
  listed.delete('close')
  listed.delete('keep-alive')
  if (listed.size === 0) return lines
  return lines
    .split('\r\n')
    .filter((line) => !listed.has(line.slice(0, line.indexOf(':')).toLowerCase()))
    .join('\r\n')
}

/** What `Connection` says in almost every answer; `undefined`: something else, or more than that. */
export function onlyWordOf(connection: string): 'keep-alive' | 'close' | undefined {
  if (connection === 'keep-alive' || connection === 'close') return connection
  const word = connection.toLowerCase()
  return word === 'keep-alive' || word === 'close' ? word : undefined
}

/** The members of a list in a field's value, in lower case. */
export function tokensOf(value: string): readonly string[] {
  return value.split(',').map((token) => token.trim().toLowerCase())
}

function slotLengths(): readonly boolean[] {
  const lengths: boolean[] = []
  for (const name of SLOTS.keys()) lengths[name.length] = true
  return lengths
}

const SPACE = 32
const TAB = 9
