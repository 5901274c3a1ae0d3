import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { EdgeFleet } from '../../../src/app/fleet/edge-fleet.ts'
import { planFleet, startFleet } from '../../../src/app/fleet/start-fleet.ts'
import { createHealth } from '../../../src/app/health.ts'
import { createServerRecords } from '../../../src/app/records.ts'
import { createCertificateStore } from '../../../src/certs/index.ts'
import { edgeOptions } from '../../../src/edge/options.ts'
import {
  type Hostname,
  parseHostname,
  systemClock,
  systemRandom,
} from '../../../src/kernel/index.ts'
import { openStore } from '../../../src/store/index.ts'
import { createMetrics, openLog } from '../../../src/telemetry/index.ts'
import { createVault } from '../../../src/vault/index.ts'
import { createTestCa } from '../../support/certificates.ts'
import { curl, openssl } from '../../support/clients.ts'
import { aHostRow } from '../../support/store-rows.ts'
import { testStoreDeps } from '../../support/stores.ts'
import { aTicketKey } from '../../support/ticket-keys.ts'
import { countResumptions } from '../../support/tls-visits.ts'
import { aKeyRing } from '../../support/vaults.ts'

// Real worker processes on a store of their own.

const HOST = parseHostname('email.customer.test') as Hostname
const PENDING = parseHostname('email.pending.test') as Hostname
const ca = createTestCa()
let running = new AsyncDisposableStack()

afterEach(async () => {
  await running.disposeAsync()
  running = new AsyncDisposableStack()
})

async function openFleet(workers: number) {
  const folder = await mkdtemp(join(tmpdir(), 'postern-fleet-'))
  running.defer(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'postern.sqlite')
  const config = {
    edge: edgeOptions.parse({ http: '127.0.0.1:0', https: '127.0.0.1:0', workers }),
    store: { url: `sqlite:${path}` },
    log: { level: 'silent', pretty: false },
  } as const
  const log = openLog(config.log)
  const metrics = createMetrics()
  const records = createServerRecords({ log, metrics })
  const variables = { read: (name: string) => process.env[name] }
  const outside = { clock: systemClock, random: systemRandom }
  const keyRing = aKeyRing()
  const vault = createVault(keyRing)
  const plan = running.use(await planFleet(config, { variables }))
  const store = running.use(await openStore(config.store, testStoreDeps()))
  await store.db
    .insertInto('hosts')
    .values([aHostRow(HOST), aHostRow(PENDING)])
    .execute()
  const certs = createCertificateStore({ ...outside, store, vault })
  const save = (hostname: Hostname) => {
    const { chainPem, keyPkcs8Der, notAfter: renewAt } = ca.issue(hostname)
    const facts = { hostname, chainPem, keyPkcs8Der, renewAt }
    return certs.save({ ...facts, renewBecause: 'x', source: 'test' })
  }
  const current = await save(HOST)
  await certs.activate(current.id)
  const caFile = join(folder, 'root.pem')
  await writeFile(caFile, ca.rootPem)
  const fleet: EdgeFleet = running.use(
    await startFleet(plan, config, {
      ...outside,
      variables,
      store,
      vault,
      keyRing,
      ticketKeys: [aTicketKey(7)],
      metrics,
      records,
      journal: join(folder, 'journal'),
    }),
  )
  const port = fleet.bound.https[0]?.port ?? 0
  return { path, caFile, store, certs, save, current, fleet, port }
}

describe.each([2, 0])('a fleet of %s workers', (workers) => {
  it('rehearses a certificate before it is put to use, and goes on with the old one', async () => {
    const { certs, save, current, fleet, port, caFile } = await openFleet(workers)
    const next = await save(HOST)
    expect(await fleet.rehearse(HOST, next.id)).toEqual({ kind: 'went-well' })
    expect(await fleet.confirm(HOST, current.serial)).toBe(true)
    const shown = await openssl(port, HOST, ['-CAfile', caFile])
    expect(shown.stdout).toContain('Verify return code: 0 (ok)')
    expect(await fleet.rehearse(PENDING, (await save(PENDING)).id)).toEqual({ kind: 'went-well' })

    await certs.discard(next.id)
    expect(await fleet.rehearse(HOST, next.id)).toEqual({
      ...{ kind: 'failed', why: 'Its key was destroyed' },
    })
    expect(await fleet.rehearse(PENDING, current.id)).toMatchObject({
      ...{ kind: 'failed', why: expect.stringContaining('There is no certificate') },
    })
  })

  it('resumes a session wherever it began, also on one that was handed other keys', async () => {
    const { fleet, port } = await openFleet(workers)
    const visits = { visits: 12, version: 'TLSv1.3' } as const
    expect(await countResumptions([port], HOST, visits)).toBe(12)
    fleet.useTicketKeys([aTicketKey(8)])
    // Workers answer in order: they have heard of it.
    await fleet.metrics()
    expect(await countResumptions([port], HOST, visits)).toBe(12)
  })

  it('says why a certificate would not do', async () => {
    const { save, store, fleet } = await openFleet(workers)
    const [damaged, swapped] = [await save(HOST), await save(HOST)]
    const { sealed_key } = await store.db
      .selectFrom('certificates')
      .select('sealed_key')
      .where('id', '=', damaged.id)
      .executeTakeFirstOrThrow()
    sealed_key.writeUInt8(sealed_key.readUInt8(150) ^ 1, 150)
    await store.db
      .updateTable('certificates')
      .set({ sealed_key })
      .where('id', '=', damaged.id)
      .execute()
    await store.db
      .updateTable('certificates')
      .set({ chain_pem: ca.issue(HOST).chainPem })
      .where('id', '=', swapped.id)
      .execute()
    for (const { id } of [damaged, swapped]) {
      const outcome = await fleet.rehearse(HOST, id)
      expect(outcome).toMatchObject({ kind: 'failed', why: expect.stringMatching(/^It cannot be/) })
    }
  })

  it('cannot say of one that another master key sealed, which is no fault of it', async () => {
    const { store, fleet } = await openFleet(workers)
    const elsewhere = createVault(aKeyRing(9))
    const outside = { clock: systemClock, random: systemRandom }
    const { chainPem, keyPkcs8Der, notAfter: renewAt } = ca.issue(HOST)
    const facts = { hostname: HOST, chainPem, keyPkcs8Der, renewAt }
    const { id } = await createCertificateStore({ ...outside, store, vault: elsewhere }).save({
      ...{ ...facts, renewBecause: 'x', source: 'test' },
    })
    expect(await fleet.rehearse(HOST, id)).toMatchObject({ kind: 'unanswered' })
  })

  it('knows who was visited, once', async () => {
    const { fleet, port, caFile } = await openFleet(workers)
    // Each connection may come to another worker.
    for (let visit = 0; visit < 6; visit += 1) {
      await curl(`https://${HOST}/`, { caFile, port })
      await curl(`https://${PENDING}/`, { caFile, port, extra: ['--insecure'] })
    }
    const visits = await fleet.visits()
    expect(visits.hostnames.toSorted()).toEqual([HOST, PENDING].toSorted())
    expect(visits.lacking).toEqual([PENDING])
    expect(await fleet.visits()).toEqual({ hostnames: [], lacking: [] })
  })
})

describe('a worker whose store takes no more writes', () => {
  it('makes the node not ready, though the server knows nothing of it by itself', async () => {
    const { path, store, fleet, current } = await openFleet(1)
    const health = createHealth({
      ...{ store, fleet, clock: systemClock, issuer: { clockSkew: () => undefined } },
      hits: { owed: () => NOTHING, unstored: () => NOTHING, refused: async () => [] },
    })
    expect(fleet.troubles()).toEqual([])
    expect(await health.readiness()).toEqual({ ready: true, reasons: [] })

    await damage(path)
    // Makes the worker read what it has not in memory.
    await fleet.rehearse(HOST, current.id)
    await vi.waitFor(() => expect(fleet.troubles()).toHaveLength(1))
    expect(fleet.troubles()).toMatchObject([
      { code: 'store/halted', sentence: expect.stringMatching(/^Edge worker \d+: /) },
    ])
    expect(store.halted.aborted).toBe(false)
    const { ready, reasons } = await health.readiness()
    expect(ready).toBe(false)
    expect(reasons.map(({ code }) => code)).toContain('store/halted')
  })
})

const NOTHING = { count: 0, oldestAt: undefined }

/** Every page but the first becomes rubbish, as by a failing disk. */
async function damage(path: string): Promise<void> {
  for (const name of [path, `${path}-wal`]) {
    const file = await open(name, 'r+')
    const { size } = await file.stat()
    const from = name === path ? 4096 : 32
    await file.write(Buffer.alloc(Math.max(0, size - from), 0xa5), 0, undefined, from)
    await file.close()
  }
}
