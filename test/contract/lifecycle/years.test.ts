import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Admission, WindowAnswer } from '../../../src/acme/index.ts'
import { startDns, type TestDns } from '../../../src/cli/demo/dns.ts'
import { days, type Hostname, hours, type Reason } from '../../../src/kernel/index.ts'
import { pebbleBinaries, pebbleIsMissing, pebbleLabel } from '../../support/pebble.ts'
import { describeEachEngine } from '../../support/stores.ts'
import {
  createShiftClock,
  eventually,
  isActive,
  issuerOf,
  type ShiftClock,
  servingOf,
  startWorld,
  type World,
  type WorldOptions,
} from './world.ts'

const DAY = 86_400_000
const HOUR = 3_600_000
const LIMITED: Reason = { code: 'ca/rate-limited', sentence: 'The budget is empty.', fix: 'Wait.' }

describe.skipIf(pebbleIsMissing)(`the lifecycle over years ${pebbleLabel}`, () => {
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
      const store = options.store ?? (await openTestStore())
      const world = owned.use(await startWorld({ dns, clock, ...options, store }))
      return { world, clock }
    }
    const renewed = (world: World, hostname: Hostname, before: string | undefined) =>
      eventually(
        async () => {
          const current = await world.certs.current(hostname)
          return current && current.id !== before ? current : undefined
        },
        async () => ({
          host: await world.hosts.find(hostname),
          history: await world.hosts.history(hostname),
        }),
      )
    /** The last of it is written a moment after the certificate is there. */
    const untilTold = (world: World, kinds: readonly string[]) =>
      eventually(
        async () => ((await world.told()).join() === kinds.join() ? true : undefined),
        world.told,
      )
    const currentId = async (world: World, hostname: Hostname) =>
      (await world.certs.current(hostname))?.id
    const lookAgain = async (clock: ShiftClock, ms: number) => {
      clock.shift(ms)
      await clock.sleep(200)
    }

    it('keeps who is ready in the queue while the budget is empty, with the reason and a guess', async () => {
      let room = 0
      const { world } = await start({
        deps: {
          issuer: issuerOf(async (hostname) => world.issue(hostname), {
            admit: async (): Promise<Admission> =>
              room > 0 ? { kind: 'go' } : { kind: 'queue', reason: LIMITED },
            room: async () => room,
          }),
        },
      })
      const names: Hostname[] = []
      for (const one of ['one', 'two', 'three']) names.push(await world.add(`email.${one}.test`))
      for (const hostname of names) await world.until(hostname, ({ queuedAt }) => !!queuedAt)
      expect(await world.lifecycle.queue()).toMatchObject({ waiting: { first: 3 } })
      const hosts = await Promise.all(names.map((hostname) => world.hosts.find(hostname)))
      const sentences = hosts.map((host) => host?.reason?.sentence ?? '')
      expect(sentences.every((one) => one.startsWith('The budget is empty. It is ready'))).toBe(
        true,
      )
      const turns = /(it is the next|one host is before it|2 hosts are before it), until about /
      expect(sentences.every((one) => turns.test(one))).toBe(true)
      const [first = '' as Hostname, second = '' as Hostname, third = '' as Hostname] = names
      // It can still be looked at, and removed.
      const checked = await world.lifecycle.checkNow(first)
      expect(checked).toMatchObject({ state: 'issuing', reason: { code: 'ca/rate-limited' } })
      expect(checked.queuedAt).toBeDefined()
      await world.lifecycle.retire(third)
      expect(world.issuedFor).toEqual([])
      room = 1000
      await world.until(first, isActive)
      await world.until(second, isActive)
      expect(world.issuedFor.toSorted()).toEqual([first, second].toSorted())
      expect(await world.lifecycle.queue()).toMatchObject({ waiting: { first: 0 } })
      expect(await world.story(first)).toContain('queue waiting ca/rate-limited')
    })

    it('waits for its own time when this name must wait, and asks nobody meanwhile', async () => {
      const until = new Date(Date.now() + 5 * HOUR)
      const { world } = await start({
        deps: {
          issuer: issuerOf(async (hostname) => world.issue(hostname), {
            admit: async () => ({ kind: 'wait', reason: LIMITED, until }),
          }),
        },
      })
      const hostname = await world.add('email.held.test')
      const host = await world.until(hostname, ({ reason }) => reason !== undefined)
      expect(host).toMatchObject({ state: 'issuing', failures: 0 })
      expect((host.nextAttemptAt?.getTime() ?? 0) - until.getTime()).toBeLessThanOrEqual(60_000)
      await world.lifecycle.checkNow(hostname)
      expect(world.issuedFor).toEqual([])
    })

    it('lets a new certificate soak before it is used, and finds it again after a restart', async () => {
      const store = await openTestStore()
      const clock = createShiftClock()
      const options = { store, clock, settings: { soak: hours(1) } }
      const rehearsed: string[] = []
      let hostname = '' as Hostname
      let before: string | undefined
      {
        await using world = await startWorld({ dns, ...options })
        hostname = await world.add('email.soak.test')
        await world.until(hostname, isActive)
        before = await currentId(world, hostname)
        clock.shift(60.5 * DAY)
        await eventually(
          () => world.certs.waiting(hostname),
          () => world.story(hostname),
        )
        const soaking = await world.until(
          hostname,
          ({ nextAttemptAt }) => nextAttemptAt !== undefined && nextAttemptAt > clock.now(),
        )
        expect(soaking).toMatchObject({ state: 'active', httpsSafe: true, reason: undefined })
        expect(await currentId(world, hostname)).toBe(before)
      }
      const serving = servingOf({
        rehearse: async (_, id) => {
          rehearsed.push(id)
          return { kind: 'went-well' }
        },
      })
      const { world } = await start({ ...options, deps: { serving } })
      clock.shift(HOUR)
      const current = await renewed(world, hostname, before)
      await world.until(hostname, isActive)
      expect(rehearsed).toEqual([current.id])
      expect(world.issuedFor).toEqual([])
      await untilTold(world, ['issued', 'renewed'])
    })

    it('does not let it soak when somebody waits for it', async () => {
      const { world } = await start({ settings: { soak: hours(1) } })
      const hostname = await world.add('email.impatient.test')
      await world.until(hostname, isActive)
      const before = await currentId(world, hostname)
      await world.lifecycle.renewNow(hostname)
      await renewed(world, hostname, before)
    })

    it('throws away what an edge cannot serve, and goes on serving the old one', async () => {
      let isBroken = true
      const { world } = await start({
        deps: {
          serving: servingOf({
            rehearse: async () =>
              isBroken ? { kind: 'failed', why: 'Worker 2 says no' } : { kind: 'went-well' },
          }),
        },
      })
      const hostname = await world.add('email.rehearsed.test')
      await world.until(hostname, isActive)
      const before = await currentId(world, hostname)
      await world.lifecycle.renewNow(hostname)
      const failing = await world.until(hostname, ({ state }) => state === 'failing')
      expect(failing).toMatchObject({ httpsSafe: true, reason: { code: 'edge/not-serving' } })
      expect(failing.reason?.sentence).toContain('Worker 2 says no')
      expect(await currentId(world, hostname)).toBe(before)
      expect(await world.certs.waiting(hostname)).toBeUndefined()
      await untilTold(world, ['issued', 'failing'])
      isBroken = false
      await world.lifecycle.checkNow(hostname)
      await renewed(world, hostname, before)
      await world.until(hostname, isActive)
      await untilTold(world, ['issued', 'failing', 'renewed'])
    })

    it('follows the window of a CA, drawn once, and renews at once when the CA says now', async () => {
      const asked: string[] = []
      let answer: WindowAnswer = { kind: 'none', askAt: undefined }
      const plans: string[] = []
      const clock = createShiftClock()
      const { world } = await start({
        clock,
        deps: {
          issuer: issuerOf(async (hostname) => world.issue(hostname), {
            askWindow: async ({ id }) => {
              asked.push(id)
              return answer
            },
            plan: ({ id }, window) => {
              const renewAt = window?.end ?? clock.now()
              plans.push(id)
              const isOver = renewAt <= clock.now()
              return { renewAt, because: isOver ? 'ca-says-now' : 'ca-suggested-it' }
            },
          }),
        },
      })
      const windowIn = (ms: number) => ({
        start: new Date(clock.now().getTime() + ms - HOUR),
        end: new Date(clock.now().getTime() + ms),
      })
      const window = windowIn(60 * DAY)
      const askAt = (): Date => new Date(clock.now().getTime() + 6 * HOUR)
      answer = { kind: 'window', window, askAt: askAt() }
      const hostname = await world.add('email.window.test')
      await world.until(hostname, isActive)
      const before = await currentId(world, hostname)
      await eventually(
        async () => ((await world.certs.current(hostname))?.window ? true : undefined),
        async () => ({ asked }),
      )
      expect(await world.certs.current(hostname)).toMatchObject({
        ...{ renewAt: window.end, renewBecause: 'ca-suggested-it' },
      })
      answer = { kind: 'window', window, askAt: new Date(askAt().getTime() + 7 * HOUR) }
      await lookAgain(clock, 7 * HOUR)
      await eventually(
        async () => (asked.length >= 2 ? true : undefined),
        async () => ({ asked }),
      )
      expect(plans).toHaveLength(1)
      answer = { kind: 'window', window: windowIn(-1000), askAt: askAt() }
      await lookAgain(clock, 15 * HOUR)
      answer = { kind: 'none', askAt: askAt() }
      await renewed(world, hostname, before)
      expect(plans.filter((id) => id === before)).toHaveLength(2)
    })

    it('leaves alone whom nobody visits, if that is the policy, until somebody comes', async () => {
      const { world, clock } = await start({
        settings: { idlePolicy: 'lazy', idleAfter: days(30) },
      })
      const hostname = await world.add('email.lazy.test')
      await world.until(hostname, isActive)
      const before = await currentId(world, hostname)
      await lookAgain(clock, 100 * DAY)
      const idle = await world.until(
        hostname,
        ({ lookedAt }) =>
          lookedAt !== undefined && clock.now().getTime() - lookedAt.getTime() < HOUR,
      )
      expect(idle).toMatchObject({ state: 'active', httpsSafe: false })
      expect(await currentId(world, hostname)).toBe(before)
      expect(world.issuedFor).toHaveLength(1)
      clock.shift(HOUR)
      await world.lifecycle.visited({ hostnames: [hostname], lacking: [hostname] })
      await renewed(world, hostname, before)
      await world.until(hostname, ({ httpsSafe }) => httpsSafe)
    })

    it('replaces a certificate that was revoked, and tells', async () => {
      const { world } = await start()
      const hostname = await world.add('email.revoked.test')
      await world.until(hostname, isActive)
      const before = await currentId(world, hostname)
      const { signal } = new AbortController()
      expect(await world.lifecycle.revoke('none', 'superseded', signal)).toEqual({
        kind: 'not-found',
      })
      expect(await world.lifecycle.revoke(before ?? '', 'keyCompromise', signal)).toEqual({
        kind: 'revoked',
      })
      await renewed(world, hostname, before)
      await world.until(hostname, isActive)
      await untilTold(world, ['issued', 'revoked', 'renewed'])
    })

    it("serves an owner's certificate, warns before its end, and lets a CA take over if asked", async () => {
      const { world, clock } = await start()
      const hostname = await world.add('email.own.test')
      await world.until(hostname, isActive)
      const pemFor = () => {
        const { chainPem, keyPem } = world.ca.issue(hostname, {
          notBefore: new Date(clock.now().getTime() - HOUR),
          notAfter: new Date(clock.now().getTime() + 40 * DAY),
        })
        return { pem: { chain: chainPem, key: keyPem } }
      }
      const bring = (whenItEnds: 'take-over' | 'leave-to-owner') =>
        world.lifecycle.bringCertificate(hostname, { upload: pemFor(), whenItEnds })
      const own = await bring('leave-to-owner')
      expect(await currentId(world, hostname)).toBe(own.id)
      expect(await world.hosts.find(hostname)).toMatchObject({
        ...{ state: 'active', httpsSafe: true, certificateFrom: 'customer' },
      })
      await expect(world.lifecycle.renewNow(hostname)).rejects.toMatchObject({
        code: 'hosts/own-certificate',
      })
      await lookAgain(clock, 11 * DAY)
      const warnings = async () => (await world.told()).filter((kind) => kind === 'expiring').length
      await eventually(async () => ((await warnings()) === 1 ? true : undefined), world.told)
      await lookAgain(clock, 27 * DAY)
      await eventually(async () => ((await warnings()) === 2 ? true : undefined), world.told)
      expect(await currentId(world, hostname)).toBe(own.id)
      expect(world.issuedFor).toHaveLength(1)
      const next = await bring('take-over')
      await lookAgain(clock, 34 * DAY)
      await renewed(world, hostname, next.id)
      expect(await world.until(hostname, isActive)).toMatchObject({ certificateFrom: 'acme' })
      const third = await bring('leave-to-owner')
      await world.lifecycle.handOver(hostname)
      await renewed(world, hostname, third.id)
    })

    it('changes nothing when what an owner brings cannot be served', async () => {
      const { world } = await start()
      const hostname = await world.add('email.bad.test')
      await world.until(hostname, isActive)
      const before = await currentId(world, hostname)
      const { chainPem, keyPem } = world.ca.issue('another.test')
      const brought = { upload: { pem: { chain: chainPem, key: keyPem } } }
      const bringing = world.lifecycle.bringCertificate(hostname, {
        ...{ ...brought, whenItEnds: 'take-over' },
      })
      await expect(bringing).rejects.toMatchObject({ code: 'certs/bad-upload' })
      expect(await currentId(world, hostname)).toBe(before)
      expect(await world.hosts.find(hostname)).toMatchObject({ certificateFrom: 'acme' })
    })
  })
})
