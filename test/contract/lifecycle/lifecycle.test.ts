import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { IssueOutcome } from '../../../src/acme/index.ts'
import { startDns, type TestDns } from '../../../src/cli/demo/dns.ts'
import { type Clock, systemClock } from '../../../src/kernel/index.ts'
import { pebbleBinaries, pebbleIsMissing, pebbleLabel } from '../../support/pebble.ts'
import { describeEachEngine } from '../../support/stores.ts'
import {
  EDGE_NAME,
  hostnameOf,
  isActive,
  issuerOf,
  servingOf,
  startWorld,
  type World,
  type WorldOptions,
} from './world.ts'

const REFUSED: IssueOutcome = {
  kind: 'refused',
  reason: { code: 'ca/rejected', sentence: 'The CA said no.', fix: 'Ask it why.' },
}

describe.skipIf(pebbleIsMissing)(`the lifecycle ${pebbleLabel}`, () => {
  let dns: TestDns
  let owned = new AsyncDisposableStack()
  beforeAll(async () => {
    dns = await startDns({ binaries: pebbleBinaries() })
  })
  afterEach(async () => {
    await owned.disposeAsync()
    owned = new AsyncDisposableStack()
  })
  afterAll(() => dns.stop())

  describeEachEngine(({ openTestStore }) => {
    const start = async (options: Partial<WorldOptions> = {}): Promise<World> =>
      owned.use(await startWorld({ store: await openTestStore(), dns, ...options }))

    it('takes a host from its CNAME to a served certificate, and tells each step', async () => {
      const confirmed: unknown[] = []
      const world = await start({
        deps: {
          serving: servingOf({
            confirm: async (hostname, id) => {
              confirmed.push([hostname, id])
              return { kind: 'served' }
            },
          }),
        },
      })
      const hostname = await world.add('email.first.test')
      const host = await world.until(hostname, isActive)
      const certificate = await world.certs.current(hostname)
      expect(host).toMatchObject({ httpsSafe: true, reason: undefined, failures: 0 })
      // Long before the renewal: to see whether DNS still leads here.
      const untilLook = (host.nextAttemptAt?.getTime() ?? 0) - systemClock.now().getTime()
      expect(Math.abs(untilLook / 86_400_000 - 1)).toBeLessThan(0.11)
      expect(host.checks.every(({ ok }) => ok)).toBe(true)
      expect(confirmed).toEqual([[hostname, certificate?.id]])
      expect(await world.story(hostname)).toEqual([
        ...['add done', 'look done', 'issue done', 'activate done', 'serve done'],
      ])
      expect(world.notices.length).toBeGreaterThanOrEqual(2)
    })

    it('takes well under a quarter of a second for that', async () => {
      const world = await start()
      const times: number[] = []
      for (let index = 0; index < 9; index += 1) {
        const startedAt = performance.now()
        await world.until(await world.add(`email.quick-${index}.test`), isActive)
        times.push(performance.now() - startedAt)
      }
      const median = times.toSorted((one, other) => one - other)[4] ?? Number.NaN
      expect(median).toBeLessThan(250)
    })

    it('waits for DNS with the reason, asks no CA, and goes on when the CNAME appears', async () => {
      const world = await start()
      const hostname = hostnameOf('email.waiting.test')
      await dns.clearCname(hostname)
      await dns.addA(hostname, ['192.0.2.7'])
      await world.lifecycle.add(hostname, 'waiting.test')
      const host = await world.until(hostname, ({ reason }) => reason !== undefined)
      expect(host).toMatchObject({
        ...{ state: 'waiting-for-dns', httpsSafe: false },
        reason: { code: 'dns/no-cname' },
      })
      expect(world.issuedFor).toEqual([])
      await dns.clearA(hostname)
      await dns.setCname(hostname, EDGE_NAME)
      await world.until(hostname, isActive)
      expect((await world.story(hostname)).slice(0, 3)).toEqual([
        ...['add done', 'look waiting dns/no-cname', 'look done'],
      ])
    })

    it('does not repeat the same reason in the history', async () => {
      const world = await start()
      const hostname = hostnameOf('email.nowhere.test')
      await world.lifecycle.add(hostname, 'nowhere.test')
      await world.until(hostname, ({ failures }) => failures >= 2)
      expect(await world.story(hostname)).toEqual(['add done', 'look waiting dns/no-cname'])
    })

    it.each<[string, (name: string) => Promise<void>, string]>([
      ['a CNAME to somebody else', (name) => dns.setCname(name, 'other.test'), 'dns/wrong-target'],
      [
        'name servers that fail',
        async (name) => {
          await dns.setServfail(name)
        },
        'dns/servfail',
      ],
      [
        'CAA of the parent',
        async (name) => {
          await dns.setCname(name, EDGE_NAME)
          await dns.addCaa('customer-caa.test', [{ tag: 'issue', value: 'digicert.com' }])
        },
        'caa/forbids',
      ],
    ])('asks the CA nothing for %s', async (what, arrange, code) => {
      const world = await start()
      const zone = what.startsWith('CAA') ? 'customer-caa.test' : `${code.slice(4)}.test`
      const hostname = hostnameOf(`email.${zone}`)
      await arrange(hostname)
      await world.lifecycle.add(hostname, zone)
      const host = await world.until(hostname, ({ reason }) => reason !== undefined)
      expect(host.reason?.code).toBe(code)
      expect(world.issuedFor).toEqual([])
    })

    it('asks the CA nothing before the terms are agreed to, and goes on after a restart', async () => {
      const store = await openTestStore()
      const hostname = hostnameOf('email.terms.test')
      {
        await using world = await startWorld({ store, dns, settings: { termsAgreed: false } })
        await world.add(hostname)
        const host = await world.until(hostname, ({ reason }) => reason !== undefined)
        expect(host.reason?.code).toBe('term/not-agreed')
        expect(world.issuedFor).toEqual([])
      }
      const world = owned.use(await startWorld({ store, dns }))
      await world.until(hostname, isActive)
    })

    it('fails with the reason of the CA, and comes back in its own time', async () => {
      const retryAt = new Date(systemClock.now().getTime() + 3_600_000)
      let asked = 0
      const issuer = issuerOf(async () => {
        asked += 1
        return { ...REFUSED, retryAt }
      })
      const world = await start({ deps: { issuer } })
      const hostname = await world.add('email.refused.test')
      const host = await world.until(hostname, ({ state }) => state === 'failing')
      expect(host).toMatchObject({ failures: 1, nextAttemptAt: retryAt, httpsSafe: false })
      expect((await world.story(hostname)).at(-1)).toBe('issue refused ca/rejected')
      for (let time = 0; time < 3; time += 1) {
        const checked = await world.lifecycle.checkNow(hostname)
        expect(checked).toMatchObject({ failures: 1, nextAttemptAt: retryAt })
        expect(checked.checks.every(({ ok }) => ok)).toBe(true)
      }
      await world.lifecycle.renewNow(hostname)
      await dns.setCname(hostname, 'other.test')
      const broken = await world.lifecycle.checkNow(hostname)
      expect(broken).toMatchObject({ reason: { code: 'ca/rejected' }, nextAttemptAt: retryAt })
      expect(broken.checks.some(({ ok }) => !ok)).toBe(true)
      await world.lifecycle.drain(AbortSignal.timeout(5000))
      expect(asked).toBe(1)
    })

    it('survives mistakes of ours, hides them, and backs off', async () => {
      const world = await start({
        deps: {
          issuer: issuerOf(async () => {
            throw new TypeError('undefined is not a function at 0x1234')
          }),
        },
      })
      const broken = await world.add('email.broken.test')
      const host = await world.until(broken, ({ failures }) => failures > 0)
      expect(host).toMatchObject({
        ...{ state: 'issuing', reason: { code: 'postern/internal' } },
      })
      expect(host.reason?.sentence).not.toContain('undefined')
      expect(host.reason?.fix).not.toBe('')
      const [last] = (await world.hosts.history(broken)).slice(-1)
      expect(last).toMatchObject({ step: 'issue', outcome: 'failed', code: 'internal' })
      expect(last?.sentence).not.toContain('undefined')
    })

    it('asks the edge again until it serves, without another certificate', async () => {
      let asked = 0
      const world = await start({
        deps: {
          serving: servingOf({
            confirm: async () => {
              asked += 1
              return asked === 1
                ? { kind: 'not-served', why: 'Worker 2 is slow' }
                : { kind: 'served' }
            },
          }),
        },
      })
      const hostname = await world.add('email.unserved.test')
      const unserved = await world.until(hostname, ({ failures }) => failures === 1)
      expect(unserved).toMatchObject({
        ...{ state: 'issuing', httpsSafe: false, reason: { code: 'edge/not-serving' } },
      })
      expect(unserved.reason?.sentence).toContain('Worker 2 is slow')
      await world.until(hostname, isActive)
      expect(world.issuedFor).toEqual([hostname])
      expect(await world.story(hostname)).toContain('serve waiting')
    })

    it('lets a slow host hold only itself', async () => {
      const held = Promise.withResolvers<void>()
      const world: World = await start({
        settings: { concurrency: 2 },
        deps: {
          issuer: issuerOf(async (hostname) => {
            if (hostname === 'email.slow.test') await held.promise
            return world.issue(hostname)
          }),
        },
      })
      const slow = await world.add('email.slow.test')
      const names = Array.from({ length: 30 }, (_, index) => `email.many-${index}.test`)
      const others = await Promise.all(names.map((name) => world.add(name)))
      for (const other of others) await world.until(other, isActive)
      expect((await world.hosts.find(slow))?.state).not.toBe('active')
      held.resolve()
      await world.until(slow, isActive)
    })

    it('looks again before it asks the CA when it had to wait its turn for long', async () => {
      const held = Promise.withResolvers<void>()
      let shift = 0
      const clock: Clock = {
        ...systemClock,
        monotonicMs: () => systemClock.monotonicMs() + shift,
      }
      const world: World = await start({
        clock,
        settings: { concurrency: 1 },
        deps: {
          issuer: issuerOf(async (hostname) => {
            if (hostname === 'email.ahead.test') await held.promise
            return world.issue(hostname)
          }),
        },
      })
      const ahead = await world.add('email.ahead.test')
      await world.until(ahead, ({ state }) => state === 'issuing')
      const [gone, patient] = [
        await world.add('email.gone.test'),
        await world.add('email.pat.test'),
      ]
      await world.until(gone, ({ state }) => state === 'issuing')
      await world.until(patient, ({ state }) => state === 'issuing')
      await dns.setCname(gone, 'other.test')
      shift = 61_000
      held.resolve()
      const host = await world.until(gone, ({ reason }) => reason !== undefined)
      expect(host).toMatchObject({ reason: { code: 'dns/wrong-target' } })
      await world.until(patient, isActive)
      expect(world.issuedFor.toSorted()).toEqual([ahead, patient].toSorted())
    })

    it('renews on demand, serving the old certificate meanwhile', async () => {
      const world = await start()
      const hostname = await world.add('email.renewed.test')
      await world.until(hostname, isActive)
      const first = await world.certs.current(hostname)
      await world.lifecycle.renewNow(hostname)
      const second = await world
        .until(
          hostname,
          ({ nextAttemptAt }) => nextAttemptAt !== undefined && nextAttemptAt > systemClock.now(),
        )
        .then(() => world.certs.current(hostname))
      expect(second?.id).not.toBe(first?.id)
      expect(world.issuedFor).toEqual([hostname, hostname])
      expect(await world.hosts.find(hostname)).toMatchObject({ state: 'active', httpsSafe: true })
    })

    it('checks on demand without asking for another certificate', async () => {
      const world = await start()
      const hostname = await world.add('email.checked.test')
      await world.until(hostname, isActive)
      await world.lifecycle.checkNow(hostname)
      await world.until(
        hostname,
        ({ nextAttemptAt }) => nextAttemptAt !== undefined && nextAttemptAt > systemClock.now(),
      )
      await dns.setCname(hostname, 'other.test')
      const host = await world.lifecycle.checkNow(hostname)
      expect(host).toMatchObject({
        ...{ state: 'failing', httpsSafe: true },
        reason: { code: 'dns/wrong-target' },
      })
      await dns.setCname(hostname, EDGE_NAME)
      await world.lifecycle.checkNow(hostname)
      await world.until(hostname, isActive)
      expect(world.issuedFor).toEqual([hostname])
    })

    it('gets the edge name a certificate, which needs addresses and no CNAME', async () => {
      const world = await start()
      await world.lifecycle.add(EDGE_NAME, 'ours.test')
      const host = await world.until(EDGE_NAME, isActive)
      expect(host.checks).toContainEqual({
        ...{ name: 'cname', ok: true, seen: 'the edge name itself' },
        expected: 'no CNAME to itself',
      })
      expect(world.issuedFor).toEqual([EDGE_NAME])
    })

    it('refuses hosts that nobody could point anywhere', async () => {
      const world = await start({ settings: { edgeName: undefined } })
      const adding = world.lifecycle.add(hostnameOf('email.customer.test'), 'customer.test')
      await expect(adding).rejects.toMatchObject({ code: 'hosts/no-edge-name' })
      const other = await start()
      const edge = other.lifecycle.add(EDGE_NAME, 'ours.test', 'a-customer')
      await expect(edge).rejects.toMatchObject({ code: 'hosts/is-edge-name' })
      const missing = hostnameOf('email.missing.test')
      for (const ask of ['checkNow', 'renewNow', 'retire'] as const) {
        await expect(other.lifecycle[ask](missing)).rejects.toMatchObject({
          code: 'hosts/not-found',
        })
      }
    })
  })
})
