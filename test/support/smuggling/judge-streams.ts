import type { Stream } from './payload.ts'
import { describeReading, type Reading, routeOf } from './readers/reading.ts'
import type { Seen } from './readers/recorder.ts'
import type { StreamAnswer, StreamsVisit } from './streams-visitor.ts'

/** One HTTP/2 connection's way through the edge, as both ends saw it. */
export interface StreamsCase {
  readonly from: string
  readonly streams: readonly Stream[]
  readonly visit: StreamsVisit
  readonly seen: readonly Seen[]
}

/** Whether each stream was at most one request, and the one that it says it is. */
export function judgeStreams({ from, streams, visit, seen }: StreamsCase): readonly string[] {
  const complaints: string[] = []
  if (visit.isStuck) complaints.push('neither answered nor closed')
  if (seen.length > streams.length) {
    complaints.push(`${seen.length} requests of ${streams.length} streams`)
  }
  if (seen.some((one) => one.from !== from)) complaints.push('X-Forwarded-For is not the peer')
  const answered = new Set<Seen>()
  for (const [index, stream] of streams.entries()) {
    const theirs = answeredBy(visit.answers[index], stream, seen)
    if (theirs === 'unknown') complaints.push("somebody else's request answered")
    if (typeof theirs !== 'object') continue
    answered.add(theirs)
    const meant = meaningOf(stream)
    if (!meant) complaints.push(`${describeReading(theirs)} is no sound request`)
    else if (!isSame(theirs, meant)) {
      complaints.push(`${describeReading(theirs)} was ${describeReading(meant)}`)
    }
  }
  // What the visitor broke off, or announced otherwise than it came, was begun and then dropped.
  const unanswered = seen.filter((one) => one.isWhole && !answered.has(one))
  for (const one of unanswered.filter(({ body }) => !streams.some(isFalselyAnnounced(body)))) {
    complaints.push(`${describeReading(one)} was carried and not answered`)
  }
  return complaints
}

function answeredBy(
  answer: StreamAnswer | undefined,
  stream: Stream,
  seen: readonly Seen[],
): Seen | 'unknown' | undefined {
  if (answer?.serial !== undefined) {
    return seen.find(({ serial }) => serial === answer.serial) ?? 'unknown'
  }
  // Answers to HEAD do not say which request they are for.
  const meant = answer?.isWhole ? meaningOf(stream) : undefined
  if (meant?.method !== 'HEAD') return undefined
  return seen.find(({ method, target }) => method === 'HEAD' && target === meant.target)
}

/** The length came before the body, and a backend was told of it; then the stream broke. */
function isFalselyAnnounced(carried: string): (stream: Stream) => boolean {
  return ({ fields, body = '' }) =>
    carried.length < body.length &&
    fields.some(([name, value]) => name === 'content-length' && value === String(carried.length))
}

/** What a stream says it is; `undefined`: not one thing only. */
function meaningOf({ fields, body = '' }: Stream): Reading | undefined {
  const valuesOf = (name: string): readonly string[] =>
    fields.filter(([own]) => own === name).map(([, value]) => value)
  const [method, ...methods] = valuesOf(':method')
  const [path, ...paths] = valuesOf(':path')
  const authorities = [...valuesOf(':authority'), ...valuesOf('host').filter(couldBeHost)]
  const [host, ...hosts] = new Set(authorities.map((authority) => authority.toLowerCase()))
  if (method === undefined || path === undefined || host === undefined) return undefined
  if (methods.length + paths.length + hosts.length > 0) return undefined
  const lengths = valuesOf('content-length')
  if (lengths.some((length) => length !== String(body.length))) return undefined
  // A body that nobody announced, of a method that has none, ends with its stream.
  const hasBody = (method !== 'GET' && method !== 'HEAD') || lengths.length > 0
  return { method, ...routeOf(path, host), body: hasBody ? body : '' }
}

/** nghttp2 drops a `host` with bytes that no host has, as if it had not been sent. */
function couldBeHost(text: string): boolean {
  return /^[\w.:~!$&'()*+,;=%[\]-]*$/.test(text)
}

function isSame(one: Reading, other: Reading): boolean {
  return (
    one.method === other.method &&
    one.target === other.target &&
    one.host === other.host &&
    one.body === other.body
  )
}
