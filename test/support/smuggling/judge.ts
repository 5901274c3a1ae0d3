import { describeReading, type Reading } from './readers/reading.ts'
import type { Seen } from './readers/recorder.ts'
import type { Reference } from './readers/reference.ts'
import type { Visit } from './visitor.ts'

/** One payload's way through the edge, as three sides saw it. */
export interface Case {
  readonly from: string
  /** What bare node:http understood. */
  readonly reference: Reference
  /** What came back. */
  readonly visit: Visit
  /** What a backend says came from this visitor, in order. */
  readonly seen: readonly Seen[]
}

/**
 * Whether visitor, backend and reference agree on how many requests there were, whose they were and
 * where they ended; else how they do not. The edge may refuse what the reference takes, and then
 * nothing after it counts.
 */
export function judge({ from, reference, visit, seen }: Case): readonly string[] {
  const complaints: string[] = []
  const { answers } = visit
  if (visit.isStuck) complaints.push('neither answered nor closed')
  if (visit.rest !== '') complaints.push(`no answer: ${JSON.stringify(visit.rest.slice(0, 200))}`)

  // Refusals of what is no request to the reference count as one more answer, the last.
  const isRefusedAtLast = answers.at(-1)?.isFromBehind === false
  if (answers.length > reference.requests.length + (isRefusedAtLast ? 1 : 0)) {
    complaints.push(`${answers.length} answers to ${reference.requests.length} requests`)
  }
  const answered = new Set<number>()
  for (const [index, { serial }] of answers.entries()) {
    if (serial === undefined) continue
    answered.add(serial)
    const theirs = seen.find((one) => one.serial === serial)
    const expected = reference.requests[index]
    if (!theirs) complaints.push(`answer ${index + 1} is to somebody else's request`)
    else if (!expected) complaints.push(`${describeReading(theirs)} is no request to node:http`)
    else if (!isSame(theirs, expected)) {
      complaints.push(`${describeReading(theirs)} is ${describeReading(expected)} to node:http`)
    }
  }
  complaints.push(...judgeUnanswered(seen, answered, reference))
  if (seen.some((one) => one.from !== from)) complaints.push('X-Forwarded-For is not the peer')
  return complaints
}

/** A request that was carried and not answered may only be one that the visitor never finished. */
function judgeUnanswered(
  seen: readonly Seen[],
  answered: ReadonlySet<number>,
  { isCutOff }: Reference,
): readonly string[] {
  return seen
    .filter(({ serial }) => !answered.has(serial))
    .filter(({ isWhole }) => isWhole || !isCutOff)
    .map((one) => `${describeReading(one)} was carried and not answered`)
}

function isSame(one: Reading, other: Reading): boolean {
  return (
    one.method === other.method &&
    one.target === other.target &&
    one.host === other.host &&
    one.body === other.body
  )
}
