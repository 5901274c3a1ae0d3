import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { startMovingHits } from '../../../src/app/moving-hits.ts'
import { systemClock, systemRandom } from '../../../src/kernel/index.ts'
import {
  createEdgeRecord,
  createMetrics,
  createTrackingRecord,
  openLog,
} from '../../../src/telemetry/index.ts'
import { createHitJournal, type Hit } from '../../../src/tracking/index.ts'

function aHit(id: string, target: string): Hit {
  const facts = { kind: 'open', hostname: 'email.customer.test', reference: 'r' } as const
  const visitor = { address: '192.0.2.1', userAgent: 'Mail', target: undefined }
  return { ...facts, ...visitor, id, at: new Date(0), owed: { target, scheme: 'https', port: 443 } }
}

it('tells the backend of all it takes, though it fails at one link and at what a visitor added', async () => {
  const told: string[] = []
  const server = createServer((request, response) => {
    const fails = request.url === '/o/broken' || request.url?.includes('?')
    if (!fails) told.push(`${request.headers['postern-hit-id']} ${request.url}`)
    response.writeHead(fails ? 500 : 200).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0

  const folder = await mkdtemp(join(tmpdir(), 'postern-moving-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const telemetry = { log: openLog({ level: 'silent', pretty: false }), metrics: createMetrics() }
  const records = {
    tracking: createTrackingRecord(telemetry),
    edge: createEdgeRecord(telemetry),
  }
  const outside = { clock: systemClock, random: systemRandom }
  const journal = createHitJournal(
    { ...outside, record: records.tracking },
    { directory: folder, kind: 'owed' },
  )
  await journal.append([
    aHit('a', '/o/x?evil=%00'),
    aHit('b', '/o/broken'),
    aHit('c', '/o/y'),
    aHit('d', '/o/z'),
    aHit('e', '/o/z'),
  ])
  await journal[Symbol.asyncDispose]()

  const store = { hot: { appendHits: () => Promise.reject(new Error('not asked')) } }
  await using hits = startMovingHits(
    { ...outside, store, records, journal: folder },
    { backend: `http://127.0.0.1:${port}` },
  )
  await vi.waitFor(async () => expect(await hits.refused()).toHaveLength(1), 15_000)
  await vi.waitFor(() => expect(told).toHaveLength(4), 5000)
  expect(told.toSorted()).toEqual(['a /o/x', 'c /o/y', 'd /o/z', 'e /o/z'])
})
