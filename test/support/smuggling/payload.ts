/** Bytes that a visitor may send to make two readers disagree. Characters are bytes (Latin-1). */
export type Payload = ConnectionPayload | StreamsPayload

/** All that is sent over one HTTP/1.1 connection. */
export interface ConnectionPayload {
  /** Also where its targets begin, so that whoever sees one of them knows where it came from. */
  readonly name: string
  readonly class: string
  readonly transport: 'h1'
  readonly bytes: string
}

/** Requests on streams of one HTTP/2 connection: fields as they go into HPACK, nothing checked. */
export interface StreamsPayload {
  readonly name: string
  readonly class: string
  readonly transport: 'h2'
  readonly streams: readonly Stream[]
}

export interface Stream {
  readonly fields: readonly (readonly [name: string, value: string])[]
  /** Absent: the stream ends with its head. */
  readonly body?: string
  readonly trailers?: readonly (readonly [name: string, value: string])[]
}

/** One class of attack: what is sent, for a path under which all its targets are. */
export interface AttackClass {
  readonly class: string
  readonly payloads: readonly ((at: string) => string)[]
}

export interface StreamAttackClass {
  readonly class: string
  readonly payloads: readonly ((at: string) => readonly Stream[])[]
}

/** The host that most requests are for, and another tenant's, for those that are hidden. */
export const HOST = 'email.customer.test'
export const OTHER_HOST = 'email.other.test'

/** A plain GET. */
export function get(target: string, host = HOST, fields = ''): string {
  return `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`
}

/** What an attacker hides in the body of another request. */
export function hidden(at: string): string {
  return get(`${at}/hidden`, OTHER_HOST)
}

/** What comes after an attack: a reader that is still in step answers it and closes. */
export function end(at: string): string {
  return get(`${at}/end`, HOST, 'Connection: close\r\n')
}

/** A head with these lines after `Host`, a body, and the end. */
export function post(at: string, lines: string, body: string, method = 'POST'): string {
  return `${method} ${at}/a HTTP/1.1\r\nHost: ${HOST}\r\n${lines}\r\n${body}${end(at)}`
}

/** The same text as one chunk and the last chunk. */
export function chunked(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`
}

/** As JSON in ASCII, one line for each payload. */
export function writeCorpus(payloads: readonly Payload[]): string {
  const lines = payloads.map((payload) =>
    JSON.stringify(payload).replace(
      /[\u007f-\uffff]/g,
      (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
    ),
  )
  return `${lines.join('\n')}\n`
}

/** Reads what `writeCorpus` wrote. */
export function readCorpus(text: string): readonly Payload[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Payload)
}
