import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startDns, type TestDns } from '../../../src/cli/demo/dns.ts'
import type { Hostname } from '../../../src/kernel/index.ts'
import type { ProbeTls } from '../../../src/net/index.ts'
import { pebbleBinaries, pebbleIsMissing, pebbleLabel } from '../../support/pebble.ts'
import { describeEachEngine } from '../../support/stores.ts'
import {
  createShiftClock,
  EDGE_NAME,
  eventually,
  hostnameOf,
  isActive,
  issuerOf,
  type ShiftClock,
  startWorld,
  type World,
  type WorldOptions,
} from './world.ts'

const DAY = 86_400_000
const HOUR = 3_600_000
const MINUTE = 60_000

describe.skipIf(pebbleIsMissing)(`customers who leave, and names that move ${pebbleLabel}`, () => {
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
    const start = async (options: Partial<WorldOptions> = {}) => {
      const clock = createShiftClock()
      const left: Hostname[] = []
      const issuer = issuerOf(async (hostname) => world.issue(hostname), {
        leave: async (hostname) => void left.push(hostname),
      })
      const world: World = owned.use(
        await startWorld({
          ...{ dns, clock, store: await openTestStore(), ...options },
          deps: { issuer, ...options.deps },
        }),
      )
      return { world, clock, left }
    }
    /** Puts the clock on until the host has been looked at again. */
    const lookAfter = async (
      { world, clock }: { readonly world: World; readonly clock: ShiftClock },
      hostname: Hostname,
      ms: number,
    ) => {
      clock.shift(ms)
      const from = clock.now()
      return world.until(hostname, ({ lookedAt }) => lookedAt !== undefined && lookedAt >= from)
    }
    const untilTold = (world: World, kinds: readonly string[]) =>
      eventually(
        async () => ((await world.told()).join() === kinds.join() ? true : undefined),
        world.told,
      )
    const leave = async (started: Awaited<ReturnType<typeof start>>, hostname: Hostname) => {
      await dns.setCname(hostname, 'other.test')
      const away = await lookAfter(started, hostname, 27 * HOUR)
      expect(away).toMatchObject({ state: 'failing', httpsSafe: true, leftAt: undefined })
      expect(away.awayAt).toBeDefined()
      await lookAfter(started, hostname, 2 * MINUTE)
      await lookAfter(started, hostname, 13 * MINUTE)
      await lookAfter(started, hostname, 121 * MINUTE)
      return started.world.until(hostname, ({ leftAt }) => leftAt !== undefined)
    }

    it('are noticed after several looks, served until the end, and not renewed', async () => {
      const started = await start()
      const { world, clock, left } = started
      const hostname = await world.add('email.leaver.test')
      await world.until(hostname, isActive)
      const certificate = await world.certs.current(hostname)
      expect(await leave(started, hostname)).toMatchObject({
        ...{ state: 'failing', httpsSafe: false, reason: { code: 'dns/wrong-target' } },
      })
      await untilTold(world, ['issued', 'left'])
      await eventually(
        async () => (left.includes(hostname) ? true : undefined),
        async () => left,
      )
      // When it would be renewed, it is served, and nothing is asked of a CA.
      await lookAfter(started, hostname, 65 * DAY)
      expect((await world.certs.current(hostname))?.id).toBe(certificate?.id)
      await lookAfter(started, hostname, 30 * DAY)
      await world.until(hostname, ({ state }) => state === 'waiting-for-dns')
      await eventually(
        async () => ((await world.certs.current(hostname)) ? undefined : true),
        () => world.story(hostname),
      )
      await clock.sleep(1000)
      await expect(world.certs.exportKey(certificate?.id ?? '')).rejects.toThrow()
      expect(world.issuedFor).toHaveLength(1)
      // And back again, long after.
      await dns.setCname(hostname, EDGE_NAME)
      await lookAfter(started, hostname, 27 * HOUR)
      await world.until(hostname, ({ state, httpsSafe }) => state === 'active' && httpsSafe)
      expect(world.issuedFor).toHaveLength(2)
      await untilTold(world, ['issued', 'left', 'returned', 'issued'])
    })

    it('are taken back as they were when they return before the end', async () => {
      const started = await start()
      const { world } = started
      const hostname = await world.add('email.returner.test')
      await world.until(hostname, isActive)
      await leave(started, hostname)
      await dns.setCname(hostname, EDGE_NAME)
      await lookAfter(started, hostname, 27 * HOUR)
      const back = await world.until(hostname, ({ state }) => state === 'active')
      expect(back).toMatchObject({ httpsSafe: true, leftAt: undefined, awayAt: undefined })
      expect(world.issuedFor).toHaveLength(1)
      await untilTold(world, ['issued', 'left', 'returned'])
    })

    it('have not left by a short mistake, nor because their name servers are silent', async () => {
      const started = await start()
      const { world } = started
      const hostname = await world.add('email.mistaken.test')
      await world.until(hostname, isActive)
      await dns.setCname(hostname, 'other.test')
      await lookAfter(started, hostname, 27 * HOUR)
      await dns.setCname(hostname, EDGE_NAME)
      await lookAfter(started, hostname, 2 * MINUTE)
      const mended = await world.until(hostname, isActive)
      expect(mended).toMatchObject({ httpsSafe: true, awayAt: undefined })
      await dns.setServfail(hostname)
      const silent = await lookAfter(started, hostname, 27 * HOUR)
      expect(silent).toMatchObject({ state: 'active', httpsSafe: true, awayAt: undefined })
      for (const wait of [2 * MINUTE, 13 * MINUTE, 121 * MINUTE, 30 * HOUR]) {
        await lookAfter(started, hostname, wait)
      }
      await dns.clearServfail(hostname)
      expect(await world.hosts.find(hostname)).toMatchObject({
        ...{ state: 'failing', httpsSafe: true, leftAt: undefined },
        reason: { code: 'dns/servfail' },
      })
      expect(await world.told()).toEqual(['issued'])
    })

    it('are forgotten in the end', async () => {
      const started = await start()
      const { world, clock, left } = started
      const hostname = await world.add('email.forgotten.test')
      await world.until(hostname, isActive)
      await leave(started, hostname)
      clock.shift(366 * DAY)
      await world.until(hostname, ({ state }) => state === 'retired')
      expect((await world.hosts.history(hostname)).at(-1)?.sentence).toContain('365 days')
      await eventually(
        async () => (left.includes(hostname) ? true : undefined),
        async () => left,
      )
    })

    it('are given up at the CA until that has worked', async () => {
      let attempts = 0
      const issuer = issuerOf(async (hostname) => world.issue(hostname), {
        leave: async () => {
          attempts += 1
          if (attempts < 3) throw new Error('the CA is away')
        },
      })
      const started = await start({ deps: { issuer } })
      const { clock } = started
      const world: World = started.world
      const hostname = await world.add('email.removed.test')
      await world.until(hostname, isActive)
      await world.lifecycle.retire(hostname)
      const untilAttempt = (count: number) =>
        eventually(
          async () => (attempts >= count ? true : undefined),
          async () => attempts,
        )
      await untilAttempt(1)
      clock.shift(61 * MINUTE)
      await untilAttempt(2)
      clock.shift(61 * MINUTE)
      await untilAttempt(3)
      clock.shift(300 * MINUTE)
      await clock.sleep(300)
      expect(attempts).toBe(3)
    })

    it('leave a CNAME behind that is of no use to another account', async () => {
      const { world } = await start()
      const hostname = await world.add('email.dangling.test', 'alice')
      await world.until(hostname, isActive)
      await world.lifecycle.retire(hostname)
      // DNS still leads here, and mallory knows.
      await world.lifecycle.add(hostname, 'mallory.test', 'mallory')
      const waiting = await world.until(hostname, ({ reason }) => reason !== undefined)
      expect(waiting).toMatchObject({
        ...{ state: 'waiting-for-dns', account: 'mallory', httpsSafe: false },
        reason: { code: 'dns/claim-needed' },
      })
      const record = `_postern.${hostname}. TXT "postern-claim=${waiting.claimToken}"`
      expect(waiting.reason?.fix).toContain(record)
      expect(await world.store.hot.hasHost(hostname)).toBe(false)
      expect(await world.store.hot.servedCertificate(hostname)).toBeUndefined()
      // Somebody else's proof, or an old one, is none.
      await dns.setTxt(`_postern.${hostname}`, 'postern-claim=00000000000000000000000000000000')
      await world.lifecycle.checkNow(hostname)
      expect(world.issuedFor).toHaveLength(1)
      // Alice comes back without being asked for anything.
      await dns.clearTxt(`_postern.${hostname}`)
      await world.lifecycle.add(hostname, 'dangling.test', 'alice')
      expect(await world.until(hostname, isActive)).toMatchObject({ account: 'alice' })
    })

    it('hand their name to another account that shows the record', async () => {
      const { world } = await start()
      const hostname = await world.add('email.sold.test', 'alice')
      await world.until(hostname, isActive)
      await world.lifecycle.retire(hostname)
      const { host } = await world.lifecycle.add(hostname, 'sold.test', 'bob')
      await dns.setTxt(`_postern.${hostname}`, `postern-claim=${host.claimToken}`)
      expect(await world.until(hostname, isActive)).toMatchObject({ account: 'bob' })
      expect(await world.store.hot.hasHost(hostname)).toBe(true)
      expect(await world.story(hostname)).toContain('claim done')
    })

    it('lose a name at once to who proves it while they still have it', async () => {
      const { world } = await start()
      const hostname = await world.add('email.contested.test', 'alice')
      await world.until(hostname, isActive)
      const before = await world.certs.current(hostname)
      const claim = () => world.lifecycle.add(hostname, 'bob.test', 'bob')
      await expect(claim()).rejects.toMatchObject({ code: 'hosts/other-account' })
      expect(await world.hosts.find(hostname)).toMatchObject({ account: 'alice', state: 'active' })
      const token = await world.hosts.claimToken(hostname, 'bob')
      await dns.setTxt(`_postern.${hostname}`, `postern-claim=${token}`)
      expect(await claim()).toMatchObject({ created: true, host: { account: 'bob' } })
      await world.until(hostname, isActive)
      expect((await world.certs.current(hostname))?.id).not.toBe(before?.id)
      await expect(world.certs.exportKey(before?.id ?? '')).rejects.toThrow()
      const told = await world.hosts.untold(10)
      expect(told.map(({ kind, account }) => `${kind} ${account}`)).toEqual([
        ...['issued alice', 'moved alice', 'moved bob', 'issued bob'],
      ])
    })

    it('tell visitors something else: that is seen, told once, and over when it is mended', async () => {
      let serial: string | undefined
      const probeTls: ProbeTls = async () =>
        serial === undefined ? { kind: 'none' } : { kind: 'shown', serial, issuer: 'Router' }
      const started = await start({ deps: { probeTls } })
      const { world } = started
      const hostname = await world.add('email.mismatch.test')
      await world.until(hostname, isActive)
      serial = '0BAD'
      const wrong = await lookAfter(started, hostname, 27 * HOUR)
      expect(wrong).toMatchObject({
        ...{ state: 'active', httpsSafe: true, reason: { code: 'https/wrong-certificate' } },
      })
      await lookAfter(started, hostname, 3 * MINUTE)
      serial = (await world.certs.current(hostname))?.serial
      const mended = await lookAfter(started, hostname, 20 * MINUTE)
      expect(mended).toMatchObject({ reason: undefined, failures: 0 })
      expect(await world.told()).toEqual(['issued', 'mismatch'])
    })

    it.each([
      ['90 days forward', 90 * DAY],
      ['a day back', -DAY],
      ['an hour forward', HOUR],
      ['an hour back', -HOUR],
    ])('are not confused with a clock that is put %s', async (_, ms) => {
      const { world, clock } = await start()
      const names = ['a', 'b', 'c'].map((one) => `email.clock-${one}.test`)
      const hostnames: Hostname[] = []
      for (const one of names) hostnames.push(await world.add(one))
      for (const hostname of hostnames) await world.until(hostname, isActive)
      clock.shift(ms)
      await clock.sleep(500)
      clock.shift(-ms)
      await clock.sleep(500)
      const orders = world.issuedFor.length
      // At most one for each: those that looked due, while the clock was wrong.
      expect(orders).toBeLessThanOrEqual(ms > DAY ? 6 : 3)
      clock.shift(27 * HOUR)
      const now = clock.now()
      for (const hostname of hostnames) {
        await world.until(
          hostname,
          ({ lookedAt, state }) => state === 'active' && lookedAt !== undefined && lookedAt >= now,
        )
      }
      expect(world.issuedFor).toHaveLength(orders)
      expect(hostnameOf(names[0] ?? '')).toBe(hostnames[0])
    })
  })
})
