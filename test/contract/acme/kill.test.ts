import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createChallengeBook } from '../../../src/challenges/index.ts'
import { systemClock } from '../../../src/kernel/index.ts'
import { openStore, type Store } from '../../../src/store/index.ts'
import { type AcmeWorld, aHostname, anIssuer, startAcmeWorld } from '../../support/acme-world.ts'
import type { RequestKind } from '../../support/fault-front.ts'
import { pebbleIsMissing, pebbleLabel } from '../../support/pebble.ts'
import { describeEachEngine, openSqliteTestStore, testStoreDeps } from '../../support/stores.ts'

const never = new AbortController().signal
const STEPS: readonly RequestKind[] = [
  ...(['account', 'order-new', 'authorization', 'challenge'] as const),
  ...(['order', 'finalize', 'certificate'] as const),
]

describe.skipIf(pebbleIsMissing)(`a process that ends amid an order ${pebbleLabel}`, () => {
  let world: AcmeWorld
  beforeAll(async () => {
    world = await startAcmeWorld({ ordersPerPage: 3 })
  })
  afterAll(() => world[Symbol.asyncDispose]())
  beforeEach(() => world.front.reset())

  const moments = STEPS.flatMap((on) =>
    (['before', 'after'] as const).map((when) => ({ on, when })),
  )
  it.each(moments)(
    '$when $on: the next one goes on with the same order and account',
    async ({ on, when }) => {
      await using store = await openSqliteTestStore()
      const hostname = aHostname()
      {
        await using issuer = anIssuer(world, store)
        // Others are under way at the same account, so that the list of orders has pages.
        for (let more = 0; more < 4 && on !== 'account'; more += 1) {
          expect((await issuer.issue({ hostname: aHostname() }, never)).kind).toBe('issued')
        }
        world.front.reset()
        const dying = new AbortController()
        const tell = () => dying.abort(new Error('killed'))
        world.front.inject({ on, fault: { kind: 'notify', when, tell } })
        await expect(issuer.issue({ hostname }, dying.signal)).rejects.toThrow('killed')
      }
      await using issuer = anIssuer(world, store)
      expect((await issuer.issue({ hostname }, never)).kind).toBe('issued')
      // What the front had let through when we died did reach the CA.
      expect(world.front.count('order-new')).toBe(1)
      expect(world.front.count('finalize')).toBeLessThanOrEqual(2)
      expect(await store.db.selectFrom('acme_accounts').selectAll().execute()).toHaveLength(1)
      expect(await certificatesOf(store, [hostname])).toEqual([hostname])
    },
  )

  describeEachEngine(({ newStoreUrl }) => {
    it('eight kills at any moment: no order twice, no certificate lost, one account', async () => {
      const url = await newStoreUrl()
      await (await openStore({ url }, testStoreDeps()))[Symbol.asyncDispose]()
      await using store = await openStore({ url }, testStoreDeps({ role: 'worker' }))
      world.answerFrom(createChallengeBook({ store, clock: systemClock }))
      const hosts = Array.from({ length: 40 }, () => aHostname())
      const args = [url, world.front.directoryUrl, world.rootsFile, ...hosts]

      for (let kill = 0; kill < 8; kill += 1) {
        const before = (await certificatesOf(store, hosts)).length
        const worker = startWorker(args)
        // Some die while they start, some amid their orders.
        await progress(store, hosts, before + (kill % 3) * 2, worker)
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 40))
        worker.kill('SIGKILL')
        await once(worker, 'exit').catch(() => undefined)
      }
      const last = startWorker(args)
      const [code] = last.exitCode === null ? await once(last, 'exit') : [last.exitCode]
      expect(code).toBe(0)

      expect(await certificatesOf(store, hosts)).toEqual(hosts.toSorted())
      expect(world.front.count('order-new')).toBe(hosts.length)
      expect(await store.db.selectFrom('acme_accounts').selectAll().execute()).toHaveLength(1)
    })
  })
})

function startWorker(args: readonly string[]) {
  const program = fileURLToPath(new URL('../../support/acme-worker.ts', import.meta.url))
  return spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
}

/** Until so many are done, or the worker has ended. */
async function progress(
  store: Store,
  hosts: readonly string[],
  count: number,
  worker: ReturnType<typeof startWorker>,
): Promise<void> {
  while (worker.exitCode === null && (await certificatesOf(store, hosts)).length < count) {
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

async function certificatesOf(store: Store, hosts: readonly string[]): Promise<readonly string[]> {
  const query = store.db.selectFrom('certificates').select('hostname')
  const rows = await query
    .where('hostname', 'in', [...hosts])
    .orderBy('hostname')
    .execute()
  return rows.map(({ hostname }) => hostname)
}
