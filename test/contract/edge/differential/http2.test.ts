import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { runStreams } from '../../../support/smuggling/differential.ts'
import { readCorpus } from '../../../support/smuggling/payload.ts'
import { openStrictRecorder } from '../../../support/smuggling/readers/recorder.ts'
import { OURS, openEdge } from '../support.ts'

const FILE = join(import.meta.dirname, '../../../support/smuggling/corpus.jsonl')

// What is written for a backend is written by the same code as for HTTP/1.1, where other servers are
// tried; here they are in the long form.
it('a stream is at most one request, the one it says it is', async () => {
  const payloads = readCorpus(readFileSync(FILE, 'latin1')).filter((one) => one.transport === 'h2')
  expect(payloads.length).toBeGreaterThan(300)
  await using recorder = await openStrictRecorder()
  await using under = await openEdge({ backend: recorder.target })
  const way = { port: under.httpsPort, servername: OURS, recorder }
  const outcome = await runStreams(payloads, way)
  expect(outcome.disagreements).toEqual([])
  for (const { name, class: of, streams } of payloads) {
    if (of !== 'h2-plain') continue
    expect([name, outcome.carried.get(name)]).toEqual([name, streams.length])
  }
})
