import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { createCorpus } from '../../../support/smuggling/corpus.ts'
import {
  type Delivery,
  type Outcome,
  type References,
  readAll,
  runAll,
} from '../../../support/smuggling/differential.ts'
import {
  type ConnectionPayload,
  readCorpus,
  writeCorpus,
} from '../../../support/smuggling/payload.ts'
import {
  openNodeRecorder,
  openStrictRecorder,
  type Recorder,
} from '../../../support/smuggling/readers/recorder.ts'
import { openReferenceReader } from '../../../support/smuggling/readers/reference.ts'
import { openHaproxy, openNginx } from '../../../support/smuggling/readers/server-recorders.ts'
import { OURS, openEdge } from '../support.ts'

const FILE = join(import.meta.dirname, '../../../support/smuggling/corpus.jsonl')

/** Every so many payloads take the slow ways: over TLS, and byte by byte. */
const SAMPLE = 25
/** Byte by byte, a kilobyte takes a thousand turns of the loop. */
const BYTEWISE_MAX = 1500

const SERVERS = ['node:http', 'nginx', 'haproxy']

let payloads: readonly ConnectionPayload[]
let references: References

beforeAll(async () => {
  payloads = readCorpus(readFileSync(FILE, 'latin1')).filter((one) => one.transport === 'h1')
  await using reader = await openReferenceReader()
  references = await readAll(reader, payloads)
})

async function runBehind(
  recorder: Recorder,
  chosen: readonly ConnectionPayload[],
  { delivery, overTls = false }: { readonly delivery: Delivery; readonly overTls?: boolean },
): Promise<Outcome> {
  await using behind = recorder
  await using under = await openEdge({ backend: behind.target })
  const way = overTls ? { port: under.httpsPort, servername: OURS } : { port: under.httpPort }
  return await runAll(chosen, references, { ...way, recorder: behind, delivery })
}

describe('the corpus', () => {
  it('is what the generator writes', async () => {
    await expect(writeCorpus(createCorpus())).toMatchFileSnapshot(FILE)
  })

  it('holds more than a thousand payloads, each with a name of its own', () => {
    expect(payloads.length).toBeGreaterThan(2500)
    expect(new Set(payloads.map(({ name }) => name)).size).toBe(payloads.length)
  })
})

describe('how many requests there were, whose they were and where they ended', () => {
  it('is the same to bare node:http and a backend that reads every byte strictly', async () => {
    const outcome = await runBehind(await openStrictRecorder(), payloads, { delivery: 'whole' })
    expect(outcome.disagreements).toEqual([])
    // Nothing plain is refused, and of the rest enough gets through to have tried the backend.
    for (const { name, class: of } of payloads) {
      if (of !== 'plain') continue
      expect([name, outcome.carried.get(name)]).toEqual([
        name,
        references.get(name)?.requests.length,
      ])
    }
  })

  // Each in front of a third of the payloads here, and of all of them in the long form.
  it.for([
    ['node:http', openNodeRecorder],
    ['nginx', openNginx],
    ['haproxy', openHaproxy],
  ] as const)(
    'is the same behind %s, when the bytes come in pieces',
    async ([name, open], { skip }) => {
      const recorder = await open()
      if (!recorder) return skip(`${name} is not to be had here`)
      const share = SERVERS.indexOf(name)
      const chosen = payloads.filter((_, index) => index % SERVERS.length === share)
      const outcome = await runBehind(recorder, chosen, { delivery: 'split' })
      expect(outcome.disagreements).toEqual([])
      // Nobody finds fault with how a request is written; only with where some want to go.
      const faulted = outcome.refusedBehind.filter(
        (payload) => !/^(target|odd-byte)-/.test(payload),
      )
      expect([name, faulted]).toEqual([name, []])
    },
  )

  it('is the same over TLS, and byte by byte', async () => {
    const sample = payloads.filter((_, index) => index % SAMPLE === 0)
    const encrypted = await runBehind(await openStrictRecorder(), sample, {
      delivery: 'whole',
      overTls: true,
    })
    expect(encrypted.disagreements).toEqual([])
    const short = sample.filter(({ bytes }) => bytes.length < BYTEWISE_MAX)
    const slow = await runBehind(await openStrictRecorder(), short, { delivery: 'bytewise' })
    expect(slow.disagreements).toEqual([])
  })
})
