import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it, vi } from 'vitest'
import type { EdgeFleet } from '../../../src/app/fleet/edge-fleet.ts'
import { planFleet, startFleet } from '../../../src/app/fleet/start-fleet.ts'
import { createServerRecords } from '../../../src/app/records.ts'
import { edgeOptions } from '../../../src/edge/options.ts'
import { type Clock, systemClock, systemRandom } from '../../../src/kernel/index.ts'
import { openStore } from '../../../src/store/index.ts'
import { createMetrics, openLog, renderMetrics } from '../../../src/telemetry/index.ts'
import { createVault } from '../../../src/vault/index.ts'
import { childrenOf } from '../../support/clients.ts'
import { testStoreDeps } from '../../support/stores.ts'
import { aTicketKey } from '../../support/ticket-keys.ts'
import { aKeyRing } from '../../support/vaults.ts'

// Real worker processes that stop, or die.

const running = new AsyncDisposableStack()
afterEach(() => running.disposeAsync())

/** Waits are short, and long enough for a worker that answers on a busy machine. */
const impatient: Clock = {
  ...systemClock,
  sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 700), signal),
}

it('a worker that stops is ended and replaced, said to be missing, and its counts stay', async () => {
  const before = await childrenOf(process.pid)
  const { fleet, port, log } = await openFleet()
  // A connection each: some to either.
  for (let visits = 0; visits < 12; visits += 1) {
    const [answer] = await once(get({ port, agent: false }), 'response')
    answer.resume()
  }
  const counted = await answersIn(fleet)
  expect(counted).toBe(12)
  expect(fleet.remarks()).toEqual([])

  const [victim = 0] = (await childrenOf(process.pid)).filter((pid) => !before.includes(pid))
  process.kill(victim, 'SIGSTOP')
  await vi.waitFor(() => expect(fleet.count().serving).toBe(1), { timeout: 20_000 })
  expect(fleet.remarks()).toMatchObject([
    { code: 'edge/workers-missing', sentence: 'Only 1 of 2 edge workers serve' },
  ])
  expect(await answersIn(fleet)).toBe(counted)
  expect(log()).toContain('edge-worker-stuck')
  expect(log()).toContain(`"pid":${victim}`)

  await vi.waitFor(() => expect(fleet.count().serving).toBe(2), { timeout: 20_000 })
  expect(fleet.remarks()).toEqual([])
  expect(await answersIn(fleet)).toBe(counted)
})

async function openFleet() {
  const folder = await mkdtemp(join(tmpdir(), 'postern-stuck-'))
  running.defer(() => rm(folder, { recursive: true, force: true }))
  const config = {
    edge: edgeOptions.parse({ http: '127.0.0.1:0', https: '127.0.0.1:0', workers: 2 }),
    store: { url: `sqlite:${join(folder, 'postern.sqlite')}` },
    log: { level: 'error', pretty: false },
  } as const
  const lines: string[] = []
  const log = openLog(config.log, {}, { write: (line) => void lines.push(line) })
  const metrics = createMetrics()
  const variables = { read: (name: string) => process.env[name] }
  const keyRing = aKeyRing()
  const plan = running.use(await planFleet(config, { variables }))
  const store = running.use(await openStore(config.store, testStoreDeps()))
  const fleet = running.use(
    await startFleet(plan, config, {
      ...{ clock: impatient, random: systemRandom, variables, store, keyRing, metrics },
      ...{ vault: createVault(keyRing), ticketKeys: [aTicketKey(7)] },
      records: createServerRecords({ log, metrics }),
      journal: join(folder, 'journal'),
    }),
  )
  return { fleet, port: fleet.bound.http[0]?.port ?? 0, log: () => lines.join('') }
}

/** Requests answered by all workers there ever were. */
async function answersIn(fleet: EdgeFleet): Promise<number> {
  const { text } = await renderMetrics(await fleet.metrics())
  const lines = text.split('\n').filter((line) => line.startsWith('postern_requests_total{'))
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
}
