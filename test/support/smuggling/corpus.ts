import { createSeededRandom } from '../seeded-random.ts'
import { CHUNKS } from './classes/chunks.ts'
import { DOWNGRADES } from './classes/downgrades.ts'
import { FIELDS } from './classes/fields.ts'
import { FRAMING } from './classes/framing.ts'
import { createMutations } from './classes/mutations.ts'
import { NAMES_AS_VALUES, STREAM_NAMES_AS_VALUES } from './classes/names-as-values.ts'
import { PLAIN } from './classes/plain.ts'
import { START_LINES } from './classes/start-lines.ts'
import { TURNS } from './classes/turns.ts'
import type { AttackClass, ConnectionPayload, Payload } from './payload.ts'

const MUTATIONS = 500

/**
 * Every payload, always the same ones: the published classes of request smuggling written out over
 * the grammar of RFC 9112 and RFC 9113, and plain requests to which accidents happened.
 */
export function createCorpus(): readonly Payload[] {
  const written = [
    ...PLAIN,
    ...FRAMING,
    ...CHUNKS,
    ...START_LINES,
    ...FIELDS,
    ...TURNS,
    NAMES_AS_VALUES,
  ]
  return [
    ...written.flatMap(toPayloads),
    ...createMutated('smuggling', MUTATIONS),
    ...[...DOWNGRADES, STREAM_NAMES_AS_VALUES].flatMap(({ class: of, payloads }) =>
      payloads.map((write, index): Payload => {
        const name = `${of}-${index + 1}`
        return { name, class: of, transport: 'h2', streams: write(`/${name}`) }
      }),
    ),
  ]
}

/** Plain requests with accidents: others for another seed. */
export function createMutated(seed: string, count: number): readonly ConnectionPayload[] {
  return toPayloads(createMutations(createSeededRandom(seed), count))
}

function toPayloads({ class: of, payloads }: AttackClass): readonly ConnectionPayload[] {
  return payloads.map((write, index) => {
    const name = `${of}-${index + 1}`
    return { name, class: of, transport: 'h1', bytes: write(`/${name}`) }
  })
}
