import { rm } from 'node:fs/promises'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openssl } from '../support/clients.ts'
import { pebbleIsMissing, pebbleLabel } from '../support/pebble.ts'
import { eventually, makeDirectory, type RunningPostern, startPostern } from '../support/postern.ts'
import { createSeededRandom } from '../support/seeded-random.ts'
import { startTestAuthority, type TestAuthority } from '../support/test-authority.ts'

const HOSTS = Array.from({ length: 24 }, (_, index) => `kill-${index}.customer.test`)
const KILLS = 6
const ENDED_BY_THE_CA = /^acme\/(?:challenge-\S+|not-valid)$|^the CA ended it$/

const running = new AsyncDisposableStack()
let authority: TestAuthority
let directory: string
let postern: RunningPostern

const start = async () => {
  const settings = { ...authority.settings, 'edge.workers': 1 }
  return running.use(await startPostern({ directory, settings }))
}

beforeAll(async () => {
  authority = running.use(await startTestAuthority())
  directory = await makeDirectory()
  postern = await start()
  for (const host of HOSTS) await authority.dns.setCname(host, authority.edgeName)
})

afterAll(async () => {
  await running.disposeAsync()
  await rm(directory, { recursive: true, force: true })
})

describe.skipIf(pebbleIsMissing)(`kill -9 in the middle of issuing ${pebbleLabel}`, () => {
  it('loses no host that was acknowledged, makes no second order and no second account', async () => {
    const random = createSeededRandom('kill')
    const acknowledged: string[] = []
    let next = 0
    for (let kill = 0; kill < KILLS; kill += 1) {
      const batch = HOSTS.slice(next, next + HOSTS.length / KILLS)
      next += batch.length
      for (const host of batch) {
        const { status } = await postern.api('/hosts', { method: 'POST', body: { host } })
        expect(status).toBe(202)
        acknowledged.push(host)
      }
      await new Promise((resolve) => setTimeout(resolve, 300 * random.fraction()))
      await postern.kill()
      postern = await start()
    }
    expect(acknowledged).toEqual(HOSTS)

    const isSafe = async (host: string) => (await postern.api(`/hosts/${host}`)).body
    for (const host of HOSTS)
      await eventually(
        () => isSafe(host),
        ({ httpsSafe }) => httpsSafe,
        60_000,
      )
    for (const host of HOSTS) {
      const shown = await openssl(postern.httpsPort, host, ['-CAfile', authority.rootsFile])
      expect(shown.stdout).toContain('Verify return code: 0 (ok)')
    }
    await postern.stop()

    const database = new Database(`${directory}/postern.sqlite`, { readonly: true })
    // An order whose validation met a dead server is ended by the CA: only then may there be another.
    const others = database
      .prepare("select hostname, state, problem from acme_orders where state <> 'issued'")
      .all()
    const issued = database
      .prepare("select count(*) as count from acme_orders where state = 'issued'")
      .get()
    const accounts = database.prepare('select count(*) as count from acme_accounts').get()
    database.close()
    const endedByTheCa = { state: 'failed', problem: expect.stringMatching(ENDED_BY_THE_CA) }
    expect(others).toEqual(others.map(() => expect.objectContaining(endedByTheCa)))
    expect(issued).toEqual({ count: HOSTS.length })
    expect(accounts).toEqual({ count: 1 })
  })
})
