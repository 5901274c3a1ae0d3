import { hash } from 'node:crypto'

// RFC 8446 §4.1.2 and RFC 5246 §7.4.1.2, read as far as is needed to know who asks for what, before
// OpenSSL spends anything on it. Nothing is negotiated here: what is let through is read again.

/** What a client said first, in so far as we look at it. */
export interface ClientHello {
  /** As sent; `undefined` if it named no host. */
  readonly servername: string | undefined
  /** The newest version offered: `0x0303` is TLS 1.2. */
  readonly newestVersion: number
  /** The same for the same program, roughly; see `fingerprintOf`. */
  fingerprint(): string
}

export type HelloReading =
  | { readonly kind: 'hello'; readonly hello: ClientHello }
  /** What is there is the beginning of one. */
  | { readonly kind: 'incomplete' }
  /** No hello that we can read, or none at all: OpenSSL is to say what is wrong with it. */
  | { readonly kind: 'unreadable' }

const NOTHING = Buffer.alloc(0)

/** Reads the first bytes of a connection: one or more records that hold one ClientHello. */
export function readClientHello(bytes: Buffer): HelloReading {
  const message = joinRecords(bytes)
  if (typeof message === 'string') return { kind: message }
  try {
    return { kind: 'hello', hello: toHello(message) }
  } catch (error) {
    if (error instanceof RangeError) return { kind: 'unreadable' }
    throw error
  }
}

const HANDSHAKE_RECORD = 22
const CLIENT_HELLO = 1
const RECORD_HEADER_BYTES = 5
/** RFC 8446 §5.1. */
const RECORD_BYTES_MAX = 16_384
const MESSAGE_HEADER_BYTES = 4
/** Real ones stay under 2 KB, with post-quantum key shares. OpenSSL takes 128 KB of it. */
const HELLO_BYTES_MAX = 16 * 1024

/** Real ones come in one; some programs cut theirs in two to be overlooked. */
const RECORDS_MAX = 8

/** The ClientHello without its header; almost always it is in one record, and is not copied. */
function joinRecords(bytes: Buffer): Buffer | 'incomplete' | 'unreadable' {
  let joined: Buffer = NOTHING
  let at = 0
  for (let count = 0; count < RECORDS_MAX; count += 1) {
    const piece = recordAt(bytes, at)
    if (typeof piece === 'string') return piece
    joined = joined.length === 0 ? piece : Buffer.concat([joined, piece])
    if (joined[0] !== CLIENT_HELLO) return 'unreadable'
    const end = joined.length < MESSAGE_HEADER_BYTES ? Infinity : endOfMessage(joined)
    if (end > MESSAGE_HEADER_BYTES + HELLO_BYTES_MAX && end !== Infinity) return 'unreadable'
    if (joined.length >= end) return joined.subarray(MESSAGE_HEADER_BYTES, end)
    at += RECORD_HEADER_BYTES + piece.length
  }
  return 'unreadable'
}

function endOfMessage(message: Buffer): number {
  return MESSAGE_HEADER_BYTES + message.readUIntBE(1, 3)
}

function recordAt(bytes: Buffer, at: number): Buffer | 'incomplete' | 'unreadable' {
  if (at < bytes.length && bytes[at] !== HANDSHAKE_RECORD) return 'unreadable'
  const start = at + RECORD_HEADER_BYTES
  if (start > bytes.length) return 'incomplete'
  const length = bytes.readUInt16BE(at + 3)
  if (length === 0 || length > RECORD_BYTES_MAX) return 'unreadable'
  return start + length > bytes.length ? 'incomplete' : bytes.subarray(start, start + length)
}

const SERVER_NAME = 0
const ALPN = 16
const SIGNATURE_ALGORITHMS = 13
const SUPPORTED_VERSIONS = 43

/** Throws RangeError where a length leads out of the message. */
function toHello(message: Buffer): ClientHello {
  const legacyVersion = message.readUInt16BE(0)
  const sessionId = 2 + 32
  const suites = sessionId + 1 + message.readUInt8(sessionId)
  const compression = suites + 2 + message.readUInt16BE(suites)
  const extensions = compression + 1 + message.readUInt8(compression)
  const found = extensions < message.length ? extensionsOf(message, extensions) : NO_EXTENSIONS
  const versions = found.get(SUPPORTED_VERSIONS)
  return {
    servername: nameIn(found.get(SERVER_NAME)),
    newestVersion: versions ? newestIn(versions) : legacyVersion,
    fingerprint: () =>
      fingerprintOf(message.subarray(suites + 2, compression), found, legacyVersion),
  }
}

type Extensions = ReadonlyMap<number, Buffer>

const NO_EXTENSIONS: Extensions = new Map()

/** In the order in which they came; the first of a kind counts. */
function extensionsOf(message: Buffer, start: number): Extensions {
  const found = new Map<number, Buffer>()
  const end = start + 2 + message.readUInt16BE(start)
  if (end > message.length) throw new RangeError('The extensions lead out of the message')
  for (let at = start + 2; at < end; ) {
    const type = message.readUInt16BE(at)
    const next = at + 4 + message.readUInt16BE(at + 2)
    if (next > end) throw new RangeError('An extension leads out of its list')
    if (!found.has(type)) found.set(type, message.subarray(at + 4, next))
    at = next
  }
  return found
}

/** RFC 6066 §3: a list of which OpenSSL, as everybody, takes one name of the one kind there is. */
function nameIn(extension: Buffer | undefined): string | undefined {
  if (!extension || extension.length < 5 || extension[2] !== 0) return undefined
  return extension.toString('latin1', 5, 5 + extension.readUInt16BE(3))
}

/** RFC 8701: values that mean nothing, so that nobody comes to rely on their absence. */
function isGrease(value: number): boolean {
  return (value & 0x0f0f) === 0x0a0a && value >> 8 === (value & 0xff)
}

function newestIn(versions: Buffer): number {
  return numbersIn(versions.subarray(1)).reduce((newest, one) => Math.max(newest, one), 0)
}

/** Numbers of two bytes, without those that mean nothing. */
function numbersIn(list: Buffer): readonly number[] {
  const numbers: number[] = []
  for (let at = 0; at + 1 < list.length; at += 2) {
    const number = list.readUInt16BE(at)
    if (!isGrease(number)) numbers.push(number)
  }
  return numbers
}

/**
 * JA4 (FoxIO), the part that is for TLS clients: `t13d1516h2_8daaf6152771_e5627efa2ab1` is `t` for
 * TCP, the newest version, `d` if a host was named (else `i`), how many suites and extensions, the
 * first and last letter of the first ALPN name; then the suites, sorted; then the extensions without
 * host and ALPN, sorted, and the signature algorithms as they came: each hashed, six bytes of it.
 */
function fingerprintOf(suites: Buffer, extensions: Extensions, legacyVersion: number): string {
  const versions = extensions.get(SUPPORTED_VERSIONS)
  const version = VERSIONS.get(versions ? newestIn(versions) : legacyVersion) ?? '00'
  const named = extensions.has(SERVER_NAME) ? 'd' : 'i'
  const offered = numbersIn(suites).map(toHex).toSorted()
  const kinds = [...extensions.keys()].filter((type) => !isGrease(type))
  const counts = [offered, kinds].map(({ length }) => `${Math.min(length, 99)}`.padStart(2, '0'))
  const sorted = kinds
    .filter((type) => type !== SERVER_NAME && type !== ALPN)
    .map(toHex)
    .toSorted()
  const algorithms = numbersIn(extensions.get(SIGNATURE_ALGORITHMS)?.subarray(2) ?? NOTHING)
  const signed = algorithms.length === 0 ? '' : `_${algorithms.map(toHex).join(',')}`
  return [
    `t${version}${named}${counts.join('')}${alpnEnds(extensions.get(ALPN))}`,
    shortHash(offered.join(',')),
    shortHash(`${sorted.join(',')}${signed}`),
  ].join('_')
}

const VERSIONS: ReadonlyMap<number, string> = new Map([
  [0x0304, '13'],
  [0x0303, '12'],
  [0x0302, '11'],
  [0x0301, '10'],
  [0x0300, 's3'],
])

function toHex(number: number): string {
  return number.toString(16).padStart(4, '0')
}

/** Letters and digits as they are; of other bytes the outermost hexadecimal digits. */
function alpnEnds(extension: Buffer | undefined): string {
  const length = extension?.[2] ?? 0
  const name = extension?.subarray(3, 3 + length)
  if (!name || name.length === 0) return '00'
  const text = name.toString('latin1')
  const ends = `${text.at(0)}${text.at(-1)}`
  if (/^[0-9A-Za-z]{2}$/.test(ends)) return ends
  const hex = name.toString('hex')
  return `${hex.at(0)}${hex.at(-1)}`
}

function shortHash(text: string): string {
  return text === '' ? '000000000000' : hash('sha256', text).slice(0, 12)
}
