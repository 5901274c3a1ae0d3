import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { IssueOutcome } from '../../../src/acme/index.ts'
import { startDns, type TestDns } from '../../../src/cli/demo/dns.ts'
import { type Clock, systemClock } from '../../../src/kernel/index.ts'
import { pebbleBinaries, pebbleIsMissing, pebbleLabel } from '../../support/pebble.ts'
import { describeEachEngine } from '../../support/stores.ts'
import {
  eventually,
  hostnameOf,
  isActive,
  issuerOf,
  startWorld,
  type World,
  type WorldOptions,
} from './world.ts'

const REFUSED: IssueOutcome = {
  kind: 'refused',
  reason: { code: 'ca/rejected', sentence: 'The CA said no.', fix: 'Ask it why.' },
}

describe.skipIf(pebbleIsMissing)(`the ends of hosts, keys and runs ${pebbleLabel}`, () => {
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

  describeEachEngine(({ engine, openTestStore }) => {
    const start = async (options: Partial<WorldOptions> = {}): Promise<World> =>
      owned.use(await startWorld({ store: await openTestStore(), dns, ...options }))

    it('retires a host: promise, service and keys end, and it can come back', async () => {
      const world = await start()
      const hostname = await world.add('email.retired.test')
      await world.until(hostname, isActive)
      const certificate = await world.certs.current(hostname)
      expect(await world.lifecycle.retire(hostname)).toMatchObject({ state: 'retired' })
      expect(await world.lifecycle.retire(hostname)).toMatchObject({ state: 'retired' })
      expect(await world.certs.current(hostname)).toBeUndefined()
      await expect(world.certs.exportKey(certificate?.id ?? '')).rejects.toThrow()
      expect(world.notices.at(-1)).toEqual({ kind: 'host-changed', hostname })
      await world.lifecycle.add(hostname, 'retired.test')
      await world.until(hostname, isActive)
    })

    it('leaves no key of a host that is retired in the middle of being issued for', async () => {
      const issuing = Promise.withResolvers<void>()
      const goOn = Promise.withResolvers<void>()
      const world: World = await start({
        deps: {
          issuer: issuerOf(async (hostname) => {
            issuing.resolve()
            await goOn.promise
            return world.issue(hostname)
          }),
        },
      })
      const hostname = await world.add('email.midway.test')
      await issuing.promise
      const retiring = world.lifecycle.retire(hostname)
      await sleep(20)
      goOn.resolve()
      expect(await retiring).toMatchObject({ state: 'retired' })
      const rows = await world.store.db.selectFrom('certificates').selectAll().execute()
      expect(rows.map((row) => [row.is_current, row.sealed_key.length])).toEqual([[0, 0]])
    })

    it('destroys nothing of a host that came back while the old run was still ending', async () => {
      const issuing = Promise.withResolvers<void>()
      const goOn = Promise.withResolvers<void>()
      const world: World = await start({
        deps: {
          issuer: issuerOf(async (hostname) => {
            issuing.resolve()
            await goOn.promise
            return world.issue(hostname)
          }),
        },
      })
      const hostname = await world.add('email.back.test')
      await issuing.promise
      const retiring = world.lifecycle.retire(hostname)
      await world.until(hostname, ({ state }) => state === 'retired')
      // Another node takes the host in and has its certificate before this one is done.
      await world.hosts.add(hostname, 'back.test')
      const outcome = await world.issue(hostname)
      const id = outcome.kind === 'issued' ? outcome.certificate.id : ''
      await world.certs.activate(id)
      goOn.resolve()
      await retiring
      expect((await world.certs.current(hostname))?.id).toBe(id)
      await expect(world.certs.exportKey(id)).resolves.toBeDefined()
    })

    it('destroys a key that another node saves after the host was retired', async () => {
      const clock: Clock = {
        ...systemClock,
        // The minute between two rounds of housekeeping passes quickly here.
        sleep: (ms, signal) => systemClock.sleep(ms === 60_000 ? 20 : ms, signal),
      }
      const world = await start({ clock })
      const hostname = await world.add('email.late-key.test')
      await world.until(hostname, isActive)
      await world.lifecycle.retire(hostname)
      await world.issue(hostname)
      await eventually(
        async () => {
          const rows = await world.store.db.selectFrom('certificates').selectAll().execute()
          return rows.every((row) => row.sealed_key.length === 0) ? rows : undefined
        },
        () => world.story(hostname),
      )
    })

    it('lets what is under way finish when it is drained, and starts nothing more', async () => {
      const issuing = Promise.withResolvers<void>()
      const goOn = Promise.withResolvers<void>()
      const world: World = await start({
        deps: {
          issuer: issuerOf(async (hostname) => {
            issuing.resolve()
            await goOn.promise
            return world.issue(hostname)
          }),
        },
      })
      const hostname = await world.add('email.drained.test')
      await issuing.promise
      const draining = world.lifecycle.drain(AbortSignal.timeout(10_000))
      const late = await world.add('email.late.test')
      goOn.resolve()
      await draining
      expect(await world.hosts.find(hostname)).toMatchObject({ state: 'active' })
      expect(await world.hosts.find(late)).toMatchObject({ state: 'waiting-for-dns' })
    })

    it('gives a host back as it was when there is no time to finish', async () => {
      const store = await openTestStore()
      const hostname = hostnameOf('email.cut-short.test')
      {
        const issuing = Promise.withResolvers<void>()
        await using world = await startWorld({
          ...{ store, dns },
          deps: {
            issuer: issuerOf(async (_, signal) => {
              issuing.resolve()
              return new Promise((_resolve, reject) => {
                signal.addEventListener('abort', () => reject(signal.reason))
              })
            }),
          },
        })
        await world.add(hostname)
        await issuing.promise
        await world.lifecycle.drain(AbortSignal.abort())
        expect(await world.hosts.find(hostname)).toMatchObject({ state: 'issuing', failures: 0 })
      }
      const world = owned.use(await startWorld({ store, dns }))
      await world.until(hostname, isActive)
    })

    // On SQLite a lock on the file keeps a second server away.
    if (engine === 'postgres') {
      it('issues once for each host on two nodes', async () => {
        const store = await openTestStore()
        const first = await start({ store })
        const second = await start({ store })
        const names = Array.from({ length: 20 }, (_, index) => `email.shared-${index}.test`)
        const added = await Promise.all(
          names.map((name, index) => (index % 2 === 0 ? first : second).add(name)),
        )
        for (const hostname of added) await first.until(hostname, isActive)
        const issued = [...first.issuedFor, ...second.issuedFor]
        expect(issued.toSorted()).toEqual(added.toSorted())
      })
    }

    it('destroys at the next start the keys that a kill has left of a retired host', async () => {
      const store = await openTestStore()
      const hostname = hostnameOf('email.killed.test')
      {
        await using world = await startWorld({ store, dns })
        await world.until(await world.add(hostname), isActive)
        await world.hosts.retire(hostname)
      }
      const world = owned.use(await startWorld({ store, dns }))
      await eventually(
        async () => {
          const row = await store.db.selectFrom('certificates').selectAll().executeTakeFirst()
          return row?.sealed_key.length === 0 ? row : undefined
        },
        () => world.story(hostname),
      )
    })

    it('stops promising https before a certificate ends that nobody replaced', async () => {
      let shift = 0
      const clock: Clock = {
        ...systemClock,
        now: () => new Date(systemClock.now().getTime() + shift),
        // The minute between two rounds of housekeeping passes quickly here.
        sleep: (ms, signal) => systemClock.sleep(ms === 60_000 ? 20 : ms, signal),
      }
      let outcome: IssueOutcome | undefined
      const world: World = await start({
        clock,
        deps: { issuer: issuerOf(async (hostname) => outcome ?? world.issue(hostname)) },
      })
      const hostname = await world.add('email.ending.test')
      await world.until(hostname, isActive)
      outcome = REFUSED
      shift = 89 * 86_400_000
      await world.until(hostname, ({ state }) => state === 'failing')
      expect(await world.hosts.find(hostname)).toMatchObject({ httpsSafe: true })
      const { notAfter } = (await world.certs.current(hostname)) ?? { notAfter: new Date(0) }
      shift = notAfter.getTime() - systemClock.now().getTime() - 50 * 60_000
      await world.until(hostname, ({ httpsSafe }) => !httpsSafe)
      expect(await world.certs.current(hostname)).toBeDefined()
    })
  })
})
