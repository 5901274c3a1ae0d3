import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { OURS, openEdge } from '../contract/edge/support.ts'
import { createMutated } from '../support/smuggling/corpus.ts'
import { readAll, runAll, runStreams } from '../support/smuggling/differential.ts'
import { readCorpus } from '../support/smuggling/payload.ts'
import { openNodeRecorder, openStrictRecorder } from '../support/smuggling/readers/recorder.ts'
import { openReferenceReader } from '../support/smuggling/readers/reference.ts'
import { openHaproxy, openNginx } from '../support/smuggling/readers/server-recorders.ts'

const FILE = join(import.meta.dirname, '../support/smuggling/corpus.jsonl')
const corpus = readCorpus(readFileSync(FILE, 'latin1'))
const connections = corpus.filter((one) => one.transport === 'h1')
const streams = corpus.filter((one) => one.transport === 'h2')

/** Byte by byte, a kilobyte takes a thousand turns of the loop. */
const BYTEWISE_MAX = 1500

const BACKENDS = [
  ['bytes', openStrictRecorder],
  ['node:http', openNodeRecorder],
  ['nginx', openNginx],
  ['haproxy', openHaproxy],
] as const

describe('every payload', () => {
  it.for(BACKENDS)(
    'is read alike by %s, whole, in pieces, byte by byte and over TLS',
    async ([name, open], { skip }) => {
      await using reader = await openReferenceReader()
      const references = await readAll(reader, connections)
      for (const delivery of ['whole', 'split', 'bytewise'] as const) {
        for (const servername of [undefined, OURS]) {
          await using recorder = await open()
          if (!recorder) return skip(`${name} is not to be had here`)
          await using under = await openEdge({ backend: recorder.target })
          const isSlow = delivery === 'bytewise'
          const chosen = connections.filter(({ bytes }) => !isSlow || bytes.length < BYTEWISE_MAX)
          const course =
            servername === undefined
              ? { port: under.httpPort, recorder, delivery }
              : { port: under.httpsPort, servername, recorder, delivery }
          expect((await runAll(chosen, references, course)).disagreements).toEqual([])
        }
      }
    },
  )

  it.for(BACKENDS)(
    'is read alike by %s when it came over HTTP/2',
    async ([name, open], { skip }) => {
      await using recorder = await open()
      if (!recorder) return skip(`${name} is not to be had here`)
      await using under = await openEdge({ backend: recorder.target })
      const way = { port: under.httpsPort, servername: OURS, recorder }
      expect((await runStreams(streams, way)).disagreements).toEqual([])
    },
  )
})

const ROUNDS = 50
const MUTATIONS = 1000

it(`plain requests with accidents are read alike, ${ROUNDS * MUTATIONS} of them`, async () => {
  await using reader = await openReferenceReader()
  for (let round = 1; round <= ROUNDS; round += 1) {
    const mutated = createMutated(`round ${round}`, MUTATIONS)
    const references = await readAll(reader, mutated)
    await using recorder = await openStrictRecorder()
    await using under = await openEdge({ backend: recorder.target })
    const delivery = round % 2 === 0 ? 'whole' : 'split'
    const course = { port: under.httpPort, recorder, delivery } as const
    expect((await runAll(mutated, references, course)).disagreements).toEqual([])
  }
})
