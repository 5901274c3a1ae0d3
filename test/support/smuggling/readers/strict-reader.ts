import type { Reading } from './reading.ts'

// A reader of requests that takes one spelling of each thing and nothing else: what the edge writes
// has to be that spelling. Shares nothing with the edge's own readers.

/** A request as it was written, and how many bytes it took. */
export interface StrictRequest extends Reading {
  /** Values by lower-case name, in order. */
  readonly fields: ReadonlyMap<string, readonly string[]>
  readonly bytes: number
}

export type StrictReading =
  | { readonly kind: 'request'; readonly request: StrictRequest }
  /** More bytes are needed; the head, if that much is there. */
  | { readonly kind: 'unfinished'; readonly fields?: StrictRequest['fields'] }
  | { readonly kind: 'violation'; readonly what: string }

const START =
  /^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (\/[\x21\x23-\x3b\x3d\x3f-\x7b\x7d\x7e]*) HTTP\/1\.1$/
const FIELD = /^([!#$%&'*+.^`|~0-9A-Za-z-]+): ?((?:[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?)?)$/

/** Fields of the visitor's connection, which end here. */
const NEVER = [
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'via',
  'x-real-ip',
  'x-original-url',
  'x-rewrite-url',
]

const AT_MOST_ONCE = ['connection', 'content-length', 'transfer-encoding', 'upgrade', 'forwarded']
const ONCE = ['host', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-request-id']

/** Reads the first request of `text`, whose characters are bytes. */
export function readStrictly(text: string): StrictReading {
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd < 0) return { kind: 'unfinished' }
  const [startLine = '', ...lines] = text.slice(0, headEnd).split('\r\n')
  const [, method = '', target = ''] = START.exec(startLine) ?? []
  if (method === '') return violation(`start line ${JSON.stringify(startLine.slice(0, 200))}`)

  const fields = new Map<string, readonly string[]>()
  for (const line of lines) {
    const [, name, value = ''] = FIELD.exec(line) ?? []
    if (name === undefined) return violation(`field ${JSON.stringify(line.slice(0, 200))}`)
    const key = name.toLowerCase()
    fields.set(key, [...(fields.get(key) ?? []), value])
  }
  const complaint = judgeFields(fields)
  if (complaint !== undefined) return violation(complaint)

  const body = bodyOf(text.slice(headEnd + 4), fields)
  if (body === 'unfinished') return { kind: 'unfinished', fields }
  if ('what' in body) return violation(body.what)
  const host = fields.get('host')?.[0] ?? ''
  const bytes = headEnd + 4 + body.bytes
  return { kind: 'request', request: { method, target, host, body: body.text, fields, bytes } }
}

function judgeFields(fields: StrictRequest['fields']): string | undefined {
  const count = (name: string): number => fields.get(name)?.length ?? 0
  const forbidden = NEVER.find((name) => count(name) > 0)
  if (forbidden !== undefined) return `${forbidden} was passed on`
  const repeated = AT_MOST_ONCE.find((name) => count(name) > 1)
  if (repeated !== undefined) return `${repeated} more than once`
  const missing = ONCE.find((name) => count(name) !== 1)
  if (missing !== undefined) return `${missing} ${count(missing)} times`
  if (count('content-length') > 0 && count('transfer-encoding') > 0) return 'two framings'
  return undefined
}

type Body =
  | { readonly text: string; readonly bytes: number }
  | { readonly what: string }
  | 'unfinished'

function bodyOf(rest: string, fields: StrictRequest['fields']): Body {
  const [coding] = fields.get('transfer-encoding') ?? []
  if (coding !== undefined) {
    return coding === 'chunked' ? chunksOf(rest) : { what: `transfer-encoding ${coding}` }
  }
  const [length = '0'] = fields.get('content-length') ?? []
  if (!/^(0|[1-9]\d{0,9})$/.test(length)) return { what: `content-length ${length}` }
  const bytes = Number(length)
  return rest.length < bytes ? 'unfinished' : { text: rest.slice(0, bytes), bytes }
}

function chunksOf(rest: string): Body {
  let text = ''
  let at = 0
  for (;;) {
    const lineEnd = rest.indexOf('\r\n', at)
    if (lineEnd < 0) return rest.length - at > 20 ? { what: 'a chunk without end' } : 'unfinished'
    const line = rest.slice(at, lineEnd)
    if (!/^(0|[1-9a-f][0-9a-f]{0,7})$/i.test(line)) return { what: `chunk size ${line}` }
    const size = Number.parseInt(line, 16)
    const dataEnd = lineEnd + 2 + size
    if (rest.length < dataEnd + 2) return 'unfinished'
    // After the last chunk: no trailers.
    if (rest.slice(dataEnd, dataEnd + 2) !== '\r\n') return { what: 'data beyond its chunk' }
    text += rest.slice(lineEnd + 2, dataEnd)
    at = dataEnd + 2
    if (size === 0) return { text, bytes: at }
  }
}

function violation(what: string): StrictReading {
  return { kind: 'violation', what }
}
