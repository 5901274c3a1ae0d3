import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Admission, IssueNeed } from '../../../src/acme/index.ts'
import { startDns, type TestDns } from '../../../src/cli/demo/dns.ts'
import { type Duration, type Hostname, hours, type Reason } from '../../../src/kernel/index.ts'
import type { Rehearsal } from '../../../src/lifecycle/index.ts'
import { pebbleBinaries, pebbleIsMissing, pebbleLabel } from '../../support/pebble.ts'
import { describeEachEngine } from '../../support/stores.ts'
import {
  createShiftClock,
  EDGE_NAME,
  eventually,
  hostnameOf,
  isActive,
  issuerOf,
  servingOf,
  startWorld,
  type World,
  type WorldOptions,
} from './world.ts'

const DAY = 86_400_000
const HOUR = 3_600_000
const DOWN: Reason = { code: 'ca/unavailable', sentence: 'The CA is away.', fix: 'Wait.' }

describe.skipIf(pebbleIsMissing)(`what certificates and clocks end ${pebbleLabel}`, () => {
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
      const store = await openTestStore()
      const world = owned.use(await startWorld({ dns, clock, store, ...options }))
      return { world, clock }
    }
    const bring = (world: World, hostname: Hostname, now: Date) => {
      const { chainPem, keyPem } = world.ca.issue(hostname, {
        notBefore: new Date(now.getTime() - HOUR),
        notAfter: new Date(now.getTime() + 40 * DAY),
      })
      const upload = { pem: { chain: chainPem, key: keyPem } }
      return world.lifecycle.bringCertificate(hostname, { upload, whenItEnds: 'leave-to-owner' })
    }
    const currentId = async (world: World, hostname: Hostname) =>
      (await world.certs.current(hostname))?.id
    const untilTold = (world: World, kind: string) =>
      eventually(async () => ((await world.told()).includes(kind) ? true : undefined), world.told)

    it("serves an owner's certificate before DNS leads here, and promises https only after", async () => {
      const { world, clock } = await start()
      const hostname = hostnameOf('email.early.test')
      await dns.clearCname(hostname)
      await world.lifecycle.add(hostname, 'early.test')
      await world.until(hostname, ({ reason }) => reason !== undefined)
      const own = await bring(world, hostname, clock.now())
      expect(await currentId(world, hostname)).toBe(own.id)
      expect(await world.hosts.find(hostname)).toMatchObject({
        ...{ state: 'waiting-for-dns', httpsSafe: false },
      })
      await dns.setCname(hostname, EDGE_NAME)
      expect(await world.until(hostname, isActive)).toMatchObject({ httpsSafe: true })
    })

    it("is not active once an owner's certificate is over, goes on looking, and is told", async () => {
      const { world, clock } = await start()
      const hostname = await world.add('email.own-over.test')
      await bring(world, hostname, clock.now())
      await world.until(hostname, isActive)
      clock.shift(41 * DAY)
      const host = await world.until(hostname, ({ state }) => state === 'failing')
      expect(host).toMatchObject({ httpsSafe: false, reason: { code: 'certificate/expiring' } })
      await untilTold(world, 'failing')
      clock.shift(2 * DAY)
      const from = clock.now()
      await world.until(hostname, ({ lookedAt }) => lookedAt !== undefined && lookedAt > from)
      const later = await bring(world, hostname, clock.now())
      expect(await world.until(hostname, isActive)).toMatchObject({ httpsSafe: true })
      expect(await currentId(world, hostname)).toBe(later.id)
    })

    it('tells of ends and delays while a CA is away, and calls nobody active who is over', async () => {
      const clock = createShiftClock()
      let isAway = false
      const { world }: { readonly world: World } = await start({
        clock,
        deps: {
          issuer: issuerOf(async (hostname) => world.issue(hostname), {
            admit: async (): Promise<Admission> => {
              const until = new Date(clock.now().getTime() + DAY)
              return isAway ? { kind: 'wait', reason: DOWN, until } : { kind: 'go' }
            },
          }),
        },
      })
      const hostname = await world.add('email.away.test')
      // A clock that jumps amid a look would take its token's time with it.
      const untilAtRest = () =>
        world.until(
          hostname,
          ({ nextAttemptAt }) => nextAttemptAt !== undefined && nextAttemptAt > clock.now(),
        )
      await world.until(hostname, isActive)
      await untilAtRest()
      isAway = true
      clock.shift(62 * DAY)
      await world.until(hostname, ({ reason }) => reason?.code === 'ca/unavailable')
      await untilTold(world, 'failing')
      expect(await world.hosts.find(hostname)).toMatchObject({ state: 'active', httpsSafe: true })
      await untilAtRest()
      clock.shift(22 * DAY)
      await untilTold(world, 'expiring')
      await untilAtRest()
      clock.shift(7 * DAY)
      expect(await world.until(hostname, ({ state }) => state !== 'active')).toMatchObject({
        ...{ state: 'failing', httpsSafe: false, reason: { code: 'ca/unavailable' } },
      })
      await untilAtRest()
      isAway = false
      clock.shift(DAY + HOUR)
      expect(await world.until(hostname, isActive)).toMatchObject({ httpsSafe: true })
    })

    it('ends nothing by a clock that no CA has confirmed, and asks for that', async () => {
      let skew: Duration | undefined
      let asked = 0
      let jumpedBy = 0
      const ticking = createShiftClock()
      // A clock that is set: it does not count what it left out.
      const clock = { ...ticking, now: () => new Date(ticking.now().getTime() + jumpedBy) }
      const { world }: { readonly world: World } = await start({
        clock,
        deps: {
          issuer: issuerOf(async (hostname) => world.issue(hostname), {
            clockSkew: () => skew,
            checkHealth: async () => {
              asked += 1
              return []
            },
            admit: async () => ({ kind: 'wait', reason: DOWN, until: new Date(8e14) }),
          }),
        },
      })
      const hostname = await world.add('email.unsure.test')
      // It waits for the CA from here on: no turn is under way that would overwrite what follows.
      await world.until(hostname, ({ reason }) => reason?.code === DOWN.code)
      const outcome = await world.issue(hostname)
      await world.certs.activate(outcome.kind === 'issued' ? outcome.certificate.id : '')
      await world.store.db.updateTable('hosts').set({ state: 'active', https_safe: 1 }).execute()
      jumpedBy = 120 * DAY
      await eventually(
        async () => (asked > 0 ? true : undefined),
        () => world.story(hostname),
      )
      expect(await world.hosts.find(hostname)).toMatchObject({ state: 'active', httpsSafe: true })
      skew = hours(0)
      await world.until(hostname, ({ httpsSafe }) => !httpsSafe)
    })

    it('leaves hosts alone while a CA says that our clock is wrong, and goes on when it is right', async () => {
      const clock = createShiftClock()
      let wrongBy = 0
      const { world }: { readonly world: World } = await start({
        clock,
        deps: {
          issuer: issuerOf(async (hostname) => world.issue(hostname), {
            clockSkew: () => hours(wrongBy / HOUR),
          }),
        },
      })
      const hostname = await world.add('email.jumped.test')
      const before = await world.until(hostname, isActive)
      wrongBy = 90 * DAY
      clock.shift(wrongBy)
      await clock.sleep(1000)
      await clock.sleep(1000)
      // Somebody who asks is told nothing that would last.
      await world.lifecycle.checkNow(hostname)
      expect(await world.hosts.find(hostname)).toMatchObject({ state: 'active', httpsSafe: true })
      clock.shift(-wrongBy)
      wrongBy = 0
      const after = await world.until(hostname, isActive)
      expect(after).toMatchObject({ httpsSafe: true, createdAt: before.createdAt })
      expect(world.issuedFor.length).toBeLessThanOrEqual(2)
    })

    it('asks for no other certificate of a name that its owner calls over, until somebody does', async () => {
      const { world, clock } = await start()
      const hostname = await world.add('email.ceased.test')
      await world.until(hostname, isActive)
      const before = await currentId(world, hostname)
      const { signal } = new AbortController()
      await world.lifecycle.revoke(before ?? '', 'cessationOfOperation', signal)
      expect(await world.hosts.find(hostname)).toMatchObject({
        ...{ state: 'failing', httpsSafe: false, reason: { code: 'certificate/revoked' } },
      })
      clock.shift(2 * DAY)
      const from = clock.now()
      await world.until(hostname, ({ lookedAt }) => lookedAt !== undefined && lookedAt > from)
      await world.lifecycle.checkNow(hostname)
      expect(world.issuedFor).toHaveLength(1)
      expect(await world.hosts.find(hostname)).toMatchObject({ state: 'failing' })
      await world.lifecycle.renewNow(hostname)
      expect(await world.until(hostname, isActive)).toMatchObject({ httpsSafe: true })
      expect(await currentId(world, hostname)).not.toBe(before)
    })

    it('waits minutes for a node that does not answer, and does without it when it must', async () => {
      let answer: Rehearsal = { kind: 'went-well' }
      const { world, clock } = await start({
        deps: { serving: servingOf({ rehearse: async () => answer }) },
      })
      const hostname = await world.add('email.silent.test')
      await world.until(hostname, isActive)
      const before = await currentId(world, hostname)
      answer = { kind: 'unanswered', here: 'went-well', why: 'Nodes are silent: b' }
      clock.shift(60.1 * DAY)
      const waiting = await world.until(hostname, ({ reason }) => reason !== undefined)
      expect(waiting).toMatchObject({
        ...{ state: 'active', httpsSafe: true, failures: 0, reason: { code: 'edge/not-serving' } },
      })
      expect(waiting.reason?.sentence).toContain('Nodes are silent: b')
      const waitMs = (waiting.nextAttemptAt?.getTime() ?? 0) - waiting.updatedAt.getTime()
      expect(waitMs).toBeLessThanOrEqual(3 * 60_000)
      expect(await currentId(world, hostname)).toBe(before)
      expect(await world.certs.waiting(hostname)).toBeDefined()
      clock.shift(29 * DAY)
      await world.until(hostname, ({ reason }) => reason === undefined)
      expect(await currentId(world, hostname)).not.toBe(before)
      expect(world.issuedFor).toHaveLength(2)
    })

    it('says how long a host has been ready, and when somebody asked', async () => {
      const needs: IssueNeed[] = []
      const { world, clock }: Awaited<ReturnType<typeof start>> = await start({
        deps: {
          issuer: issuerOf(async (hostname) => world.issue(hostname), {
            admit: async (need) => {
              needs.push(need)
              return { kind: 'go' }
            },
          }),
        },
      })
      const hostname = hostnameOf('email.patient.test')
      await dns.clearCname(hostname)
      await world.lifecycle.add(hostname, 'patient.test')
      await world.until(hostname, ({ reason }) => reason !== undefined)
      clock.shift(DAY)
      await dns.setCname(hostname, EDGE_NAME)
      const from = clock.now()
      await world.lifecycle.checkNow(hostname)
      await world.until(hostname, isActive)
      expect(needs[0]?.waitingSince.getTime()).toBeGreaterThanOrEqual(from.getTime())
      await world.lifecycle.renewNow(hostname)
      await eventually(
        async () => needs[1],
        () => world.story(hostname),
      )
      expect(needs[1]?.waitingSince).toEqual(needs[1]?.askedAt)
    })
  })
})
