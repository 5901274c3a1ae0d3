import { rm } from 'node:fs/promises'
import Database from 'better-sqlite3'
import { expect } from 'vitest'
import { openssl } from './clients.ts'
import { eventually, makeDirectory, type RunningPostern, startPostern } from './postern.ts'
import { createSeededRandom } from './seeded-random.ts'
import { startTestAuthority } from './test-authority.ts'

export interface KillStory {
  readonly hosts: number
  readonly kills: number
  readonly seed: string
}

/** An order whose validation met a dead server is ended by the CA: only then may there be another. */
const ENDED_BY_THE_CA = /^acme\/(?:challenge-\S+|not-valid)$|^the CA ended it$/
/** Longer than an issuance or a renewal takes, so that a kill may hit each step, or none. */
const LIFE_MS_MAX = 400
/** In each life some hosts are asked to renew: what is killed is issuing and renewing. */
const RENEWALS_PER_LIFE = 3
const SETTLED_MS_MAX = 120_000

/**
 * Kills the whole program (kill -9) at random moments of issuing and renewing, starts it again, and
 * in the end demands: every acknowledged host and renewal came true, with one order each; one
 * account; no key lost; nothing left half done.
 */
export async function tellKillStory({ hosts, kills, seed }: KillStory): Promise<void> {
  await using running = new AsyncDisposableStack()
  const authority = running.use(await startTestAuthority())
  const directory = await makeDirectory()
  running.defer(() => rm(directory, { recursive: true, force: true }))
  const names = Array.from({ length: hosts }, (_, index) => `kill-${index}.customer.test`)
  for (const name of names) await authority.dns.setCname(name, authority.edgeName)

  const random = createSeededRandom(seed)
  const settings = { ...authority.settings, 'edge.workers': 1 }
  const start = async () => running.use(await startPostern({ directory, settings }))
  let postern = await start()
  const added: string[] = []
  const renewalsAsked = new Map<string, number>()
  for (let kill = 0; kill < kills; kill += 1) {
    const upTo = Math.ceil((hosts * (kill + 1)) / kills)
    for (const host of names.slice(added.length, upTo)) {
      const { status } = await postern.api('/hosts', { method: 'POST', body: { host } })
      expect(status).toBe(202)
      added.push(host)
    }
    for (let renewal = 0; renewal < RENEWALS_PER_LIFE; renewal += 1) {
      const host = added[Math.floor(random.fraction() * added.length)] ?? ''
      const { status } = await postern.api(`/hosts/${host}/renew`, { method: 'POST', body: {} })
      expect(status).toBe(200)
      renewalsAsked.set(host, (renewalsAsked.get(host) ?? 0) + 1)
    }
    await new Promise((resolve) => setTimeout(resolve, LIFE_MS_MAX * random.fraction()))
    await postern.kill()
    postern = await start()
  }
  expect(added).toEqual(names)

  await untilSettled(postern, names)
  for (const host of names) {
    const shown = await openssl(postern.httpsPort, host, ['-CAfile', authority.rootsFile])
    expect(shown.stdout).toContain('Verify return code: 0 (ok)')
  }
  await postern.stop()
  judgeOrders(`${directory}/postern.sqlite`, { names, renewalsAsked })
}

/** Until every host is safe and nothing is due any more. */
async function untilSettled(postern: RunningPostern, names: readonly string[]): Promise<void> {
  for (const host of names) {
    await eventually(
      async () => (await postern.api(`/hosts/${host}`)).body,
      ({ httpsSafe, state, nextAttemptAt }) =>
        httpsSafe && state === 'active' && Date.parse(nextAttemptAt) > Date.now() + 60_000,
      SETTLED_MS_MAX,
    )
  }
}

interface OrderCount {
  readonly hostname: string
  readonly state: string
  readonly problem: string | null
  readonly count: number
}

function judgeOrders(
  file: string,
  {
    names,
    renewalsAsked,
  }: { readonly names: readonly string[]; readonly renewalsAsked: ReadonlyMap<string, number> },
): void {
  const database = new Database(file, { readonly: true })
  const orders = database
    .prepare(
      'select hostname, state, problem, count(*) as count from acme_orders group by 1, 2, 3 order by 1',
    )
    .all() as OrderCount[]
  const accounts = database.prepare('select count(*) as count from acme_accounts').get()
  const current = database
    .prepare('select count(*) as count from certificates where is_current = 1')
    .get()
  database.close()

  expect(accounts).toEqual({ count: 1 })
  expect(current).toEqual({ count: names.length })
  const failed = orders.filter(({ state }) => state !== 'issued')
  expect(failed.filter(({ problem }) => !ENDED_BY_THE_CA.test(problem ?? ''))).toEqual([])
  // One for the host, and one for each renewal that was asked for: two wishes may become one.
  const tooMany = orders.filter(
    ({ hostname, state, count }) =>
      state === 'issued' && count > 1 + (renewalsAsked.get(hostname) ?? 0),
  )
  expect(tooMany).toEqual([])
}
