import { createSeededRandom } from '../seeded-random.ts'
import { judge } from './judge.ts'
import { judgeStreams } from './judge-streams.ts'
import type { ConnectionPayload, StreamsPayload } from './payload.ts'
import type { Recorder, Seen } from './readers/recorder.ts'
import type { Reference, ReferenceReader } from './readers/reference.ts'
import { type StreamsVisit, visitStreams } from './streams-visitor.ts'
import { type Visit, visit } from './visitor.ts'

/** How the bytes of a payload arrive. */
export type Delivery = 'whole' | 'split' | 'bytewise'

/** What bare node:http makes of each payload, by name. */
export type References = ReadonlyMap<string, Reference>

/** Asks the reference for all payloads. */
export async function readAll(
  reader: ReferenceReader,
  payloads: readonly ConnectionPayload[],
): Promise<References> {
  const references = new Map<string, Reference>()
  await inParallel(payloads, async ({ name, bytes }) => {
    references.set(name, await reader.read(bytes))
  })
  return references
}

/** Where payloads are sent, and who is behind. */
export interface Course {
  readonly port: number
  /** Absent: in clear. */
  readonly servername?: string
  readonly recorder: Recorder
  readonly delivery: Delivery
}

/** What came of a run: which payloads were read differently, and how many were not refused. */
export interface Outcome {
  readonly disagreements: readonly string[]
  /** Requests that reached the backend and were answered, by name of the payload. */
  readonly carried: ReadonlyMap<string, number>
  /** Payloads of which the server behind refused something that the edge let through. */
  readonly refusedBehind: readonly string[]
}

/** Sends every payload through an edge, many at a time, and compares. */
export async function runAll(
  payloads: readonly ConnectionPayload[],
  references: References,
  course: Course,
): Promise<Outcome> {
  const visits = new Map<string, Visit>()
  await inParallel(payloads, async (payload, index) => {
    const reference = referenceFor(references, payload)
    visits.set(
      payload.name,
      await visit({
        ...course,
        from: addressOf(index),
        pieces: piecesOf(payload, course.delivery),
        methods: reference.requests.map(({ method }) => method),
        leavesAfterAll: reference.isCutOff || !reference.endsItself,
      }),
    )
  })
  const seenFrom = Map.groupBy(course.recorder.seen, ({ from }) => from)
  const disagreements = [...course.recorder.violations]
  const carried = new Map<string, number>()
  const refusedBehind: string[] = []
  for (const [index, payload] of payloads.entries()) {
    const from = addressOf(index)
    const result = visits.get(payload.name)
    if (!result) throw new TypeError(`${payload.name} was not sent.`)
    const seen: readonly Seen[] = seenFrom.get(from) ?? []
    const reference = referenceFor(references, payload)
    for (const complaint of judge({ from, reference, visit: result, seen })) {
      disagreements.push(`${payload.name}: ${complaint}\n  ${shown(payload.bytes)}`)
    }
    carried.set(payload.name, result.answers.filter(({ serial }) => serial !== undefined).length)
    if (result.answers.some((answer) => answer.isFromBehind && answer.serial === undefined)) {
      refusedBehind.push(payload.name)
    }
  }
  const known = new Set(payloads.map((_, index) => addressOf(index)))
  for (const from of seenFrom.keys()) {
    if (!known.has(from)) disagreements.push(`a request came from ${from}, who sent none`)
  }
  return { disagreements, carried, refusedBehind }
}

/** Sends every payload over an HTTP/2 connection of its own, and compares. */
export async function runStreams(
  payloads: readonly StreamsPayload[],
  course: Omit<Course, 'delivery'> & { readonly servername: string },
): Promise<Omit<Outcome, 'refusedBehind'>> {
  const visits = new Map<string, StreamsVisit>()
  await inParallel(payloads, async ({ name, streams }, index) => {
    visits.set(name, await visitStreams({ ...course, from: addressOf(index), streams }))
  })
  const seenFrom = Map.groupBy(course.recorder.seen, ({ from }) => from)
  const disagreements = [...course.recorder.violations]
  const carried = new Map<string, number>()
  for (const [index, { name, streams }] of payloads.entries()) {
    const from = addressOf(index)
    const result = visits.get(name)
    if (!result) throw new TypeError(`${name} was not sent.`)
    const seen: readonly Seen[] = seenFrom.get(from) ?? []
    for (const complaint of judgeStreams({ from, streams, visit: result, seen })) {
      disagreements.push(`${name}: ${complaint}\n  ${shown(JSON.stringify(streams))}`)
    }
    carried.set(name, result.answers.filter(({ serial }) => serial !== undefined).length)
  }
  return { disagreements, carried }
}

function referenceFor(references: References, { name }: ConnectionPayload): Reference {
  const reference = references.get(name)
  if (!reference) throw new TypeError(`${name} was not read.`)
  return reference
}

/** Linux has all of 127.0.0.0/8: one address for each payload. */
function addressOf(index: number): string {
  return `127.1.${Math.floor(index / 250)}.${1 + (index % 250)}`
}

const PIECES_MAX = 6

function piecesOf({ name, bytes }: ConnectionPayload, delivery: Delivery): readonly string[] {
  if (delivery === 'whole') return [bytes]
  if (delivery === 'bytewise') return bytes.split('')
  const random = createSeededRandom(name)
  const cuts = Array.from({ length: 1 + Math.floor(random.fraction() * PIECES_MAX) }, () =>
    Math.floor(random.fraction() * bytes.length),
  ).sort((one, other) => one - other)
  return [0, ...cuts]
    .map((cut, index) => bytes.slice(cut, cuts[index]))
    .filter((piece) => piece !== '')
}

const CONNECTIONS_MAX = 48

async function inParallel<Item>(
  items: readonly Item[],
  work: (item: Item, index: number) => Promise<void>,
): Promise<void> {
  const entries = items.entries()
  const lane = async (): Promise<void> => {
    for (const [index, item] of entries) await work(item, index)
  }
  await Promise.all(Array.from({ length: CONNECTIONS_MAX }, lane))
}

function shown(bytes: string): string {
  return JSON.stringify(bytes.length > 700 ? `${bytes.slice(0, 700)}…` : bytes)
}
