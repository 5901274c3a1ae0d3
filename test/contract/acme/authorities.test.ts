import { readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { IssueOutcome } from '../../../src/acme/index.ts'
import type { Certificate } from '../../../src/certs/index.ts'
import { after, days, hours, milliseconds, minutes } from '../../../src/kernel/index.ts'
import type { Store } from '../../../src/store/index.ts'
import {
  type AcmeWorld,
  aHostname,
  anIssuer,
  startAcmeWorld,
  type TestIssuer,
} from '../../support/acme-world.ts'
import type { FaultFront, RequestKind } from '../../support/fault-front.ts'
import { aMovableClock } from '../../support/movable-clock.ts'
import { pebbleIsAtLeast, pebbleIsMissing, pebbleLabel } from '../../support/pebble.ts'
import { openSqliteTestStore } from '../../support/stores.ts'

const never = new AbortController().signal
const ALL: readonly RequestKind[] = [
  ...(['directory', 'nonce', 'account', 'order-new', 'order', 'authorization'] as const),
  ...(['challenge', 'finalize', 'certificate', 'renewal-info', 'revoke'] as const),
]

/** Nobody answers. */
function switchOff(front: FaultFront): void {
  const fault = { kind: 'drop-before' } as const
  front.inject(...ALL.map((on) => ({ on, times: 1_000, fault })))
}

describe.skipIf(pebbleIsMissing || !pebbleIsAtLeast('2.8.0'))(`several CAs ${pebbleLabel}`, () => {
  let one: AcmeWorld
  let two: AcmeWorld
  let store: Store

  beforeAll(async () => {
    one = await startAcmeWorld()
    two = await startAcmeWorld()
    await writeFile(one.rootsFile, await readFile(two.rootsFile), { flag: 'a' })
  })
  afterAll(async () => {
    await one[Symbol.asyncDispose]()
    await two[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    one.front.reset()
    two.front.reset()
    store = await openSqliteTestStore()
    return () => store[Symbol.asyncDispose]()
  })

  /** One that knows both, and a clock that can be moved. */
  const setUp = (
    options = () => ({}),
  ): { issuer: TestIssuer; clock: ReturnType<typeof aMovableClock> } => {
    const clock = aMovableClock()
    const ca = `${one.front.directoryUrl},${two.front.directoryUrl}`
    const issuer = anIssuer(one, store, { clock, options: { ca, ...options() } })
    two.answerFrom(issuer.book)
    return { issuer, clock }
  }
  /** The first pauses names that fail too often. */
  const pausing = () => ({ limits: `${nameOf(one)}.failures-in-a-row=1152/1152d` })
  const certificateOf = (outcome: IssueOutcome): Certificate => {
    if (outcome.kind !== 'issued') throw new Error(outcome.reason.sentence)
    return outcome.certificate
  }
  const nameOf = (world: AcmeWorld) => world.front.directoryUrl

  it('asks the preferred one, and the other for nothing', async () => {
    const { issuer } = setUp()
    await using _issuer = issuer
    const certificate = certificateOf(await issuer.issue({ hostname: aHostname() }, never))
    expect(certificate.source).toBe(nameOf(one))
    expect(two.front.requests).toEqual([])
    const names = (await issuer.authorities()).map(({ name }) => name)
    expect(names).toEqual([nameOf(one), nameOf(two)])
  })

  it('waits ten minutes for one that is down, and then goes on at the other', async () => {
    const { issuer, clock } = setUp()
    await using _issuer = issuer
    switchOff(one.front)
    const hostname = aHostname()
    const refused = await issuer.issue({ hostname }, never)
    expect(refused).toMatchObject({ kind: 'refused', reason: { code: 'ca/unavailable' } })
    expect(await issuer.admit({ hostname })).toMatchObject({
      kind: 'wait',
      until: expect.any(Date),
    })
    expect((await issuer.describe()).authorities).toMatchObject([
      { health: 'down', heldUntil: expect.any(Date), why: expect.any(String) },
      { health: 'up' },
    ])
    clock.move(minutes(2))
    // It is asked whether it is back, by one host, once.
    expect(await issuer.issue({ hostname }, never)).toMatchObject({ kind: 'refused' })
    expect(two.front.count('order-new')).toBe(0)
    clock.move(minutes(9))
    const certificate = certificateOf(await issuer.issue({ hostname }, never))
    expect(certificate.source).toBe(nameOf(two))
    expect(await issuer.authorities()).toMatchObject([
      {},
      { accountUrl: expect.stringContaining('https://') },
    ])
  })

  it('comes back to the preferred one with the next renewal, which replaces nothing there', async () => {
    const { issuer, clock } = setUp()
    await using _issuer = issuer
    const hostname = aHostname()
    switchOff(one.front)
    await issuer.issue({ hostname }, never)
    clock.move(minutes(11))
    const replacing = certificateOf(await issuer.issue({ hostname }, never))
    expect(replacing.source).toBe(nameOf(two))
    await issuer.certs.activate(replacing.id)

    one.front.reset()
    two.front.reset()
    clock.move(minutes(2))
    const renewal = { hostname, replacing, urgency: 'renewal' } as const
    const renewed = certificateOf(await issuer.issue(renewal, never))
    expect(renewed.source).toBe(nameOf(one))
    expect(one.front.payloads('order-new')[0]).not.toHaveProperty('replaces')
    expect(two.front.requests).toEqual([])
    expect((await issuer.describe()).authorities).toMatchObject([{ health: 'up' }, {}])
  })

  it('lets a renewal wait that has time, and not one that has none', async () => {
    const { issuer, clock } = setUp()
    await using _issuer = issuer
    const held = certificateOf(await issuer.issue({ hostname: aHostname() }, never))
    await issuer.certs.activate(held.id)
    const { hostname } = held
    switchOff(one.front)
    const now = clock.now()
    const due = { ...held, renewAt: now, notAfter: after(now, days(30)) }
    const relaxed = { hostname, replacing: due, urgency: 'renewal' } as const
    expect(await issuer.issue(relaxed, never)).toMatchObject({ kind: 'refused' })
    clock.move(hours(3))
    expect(await issuer.issue(relaxed, never)).toMatchObject({ kind: 'refused' })
    expect(two.front.count('order-new')).toBe(0)
    const late = { ...due, notAfter: after(clock.now(), hours(40)) }
    const urgent = { hostname, replacing: late, urgency: 'expiring' } as const
    expect(certificateOf(await issuer.issue(urgent, never)).source).toBe(nameOf(two))
  })

  it('is down for all nodes, and still after a restart; one asks whether it is back', async () => {
    {
      const { issuer } = setUp()
      await using _issuer = issuer
      switchOff(one.front)
      await issuer.issue({ hostname: aHostname() }, never)
    }
    one.front.reset()
    const { issuer, clock } = setUp()
    await using _issuer = issuer
    const first = await issuer.issue({ hostname: aHostname() }, never)
    expect(first).toMatchObject({ kind: 'refused', reason: { code: 'ca/unavailable' } })
    expect(one.front.requests).toEqual([])
    clock.move(minutes(2))
    const outcomes = await Promise.all(
      [0, 1, 2, 3].map(() => issuer.issue({ hostname: aHostname() }, never)),
    )
    expect(outcomes.map(({ kind }) => kind).toSorted()).toEqual([
      ...(['issued', 'refused', 'refused', 'refused'] as const),
    ])
    expect(certificateOf(await issuer.issue({ hostname: aHostname() }, never)).source).toBe(
      nameOf(one),
    )
  })

  it('is down when it answers one after another with errors of its own', async () => {
    const { issuer } = setUp()
    await using _issuer = issuer
    const fault = { kind: 'problem', status: 500, type: 'serverInternal' } as const
    one.front.inject({ on: 'order-new', times: 100, fault })
    for (let round = 0; round < 5; round += 1) await issuer.issue({ hostname: aHostname() }, never)
    expect((await issuer.describe()).authorities).toMatchObject([{ health: 'down' }, {}])
    const asked = one.front.requests.length
    await issuer.issue({ hostname: aHostname() }, never)
    expect(one.front.requests).toHaveLength(asked)
  })

  it('passes over a CA that CAA forbids, and says so when it is the only one', async () => {
    const { issuer } = setUp()
    await using _issuer = issuer
    const hostname = aHostname()
    const need = { hostname, allowedCas: [nameOf(two)] }
    expect(certificateOf(await issuer.issue(need, never)).source).toBe(nameOf(two))
    expect(one.front.count('order-new')).toBe(0)
    const nowhere = { hostname: aHostname(), allowedCas: [] }
    expect(await issuer.admit(nowhere)).toMatchObject({
      ...{ kind: 'wait', reason: { code: 'caa/forbids' } },
    })
    expect(await issuer.issue(nowhere, never)).toMatchObject({ kind: 'refused' })
  })

  it('takes a name that one CA has paused to the other at once', async () => {
    const { issuer } = setUp(pausing)
    await using _issuer = issuer
    const detail = 'Your account is paused for this name. Visit https://unpause.example.test/x.'
    const pause = { kind: 'problem', status: 429, type: 'rateLimited', detail } as const
    one.front.inject({ on: 'order-new', fault: pause })
    const hostname = aHostname()
    const certificate = certificateOf(await issuer.issue({ hostname }, never))
    expect(certificate.source).toBe(nameOf(two))
    await issuer.certs.activate(certificate.id)
    expect((await issuer.describe()).authorities[0]?.pausedNames).toMatchObject([
      { hostname, unpauseUrl: 'https://unpause.example.test/x' },
    ])
    // Another name is none of its business.
    const other = certificateOf(await issuer.issue({ hostname: aHostname() }, never))
    expect(other.source).toBe(nameOf(one))
  })

  it('orders nothing for a name that is paused everywhere, but once a day', async () => {
    await using issuer = anIssuer(one, store, { options: pausing() })
    const detail = 'paused, see https://unpause.example.test/x'
    const pause = { kind: 'problem', status: 429, type: 'rateLimited', detail } as const
    one.front.inject({ on: 'order-new', fault: pause })
    const hostname = aHostname()
    await issuer.issue({ hostname }, never)
    const admission = await issuer.admit({ hostname })
    expect(admission).toMatchObject({
      kind: 'wait',
      reason: { code: 'ca/paused', fix: expect.stringContaining('https://unpause.example.test/x') },
    })
    const asked = one.front.requests.length
    expect(await issuer.issue({ hostname }, never)).toMatchObject({ kind: 'refused' })
    expect(one.front.requests).toHaveLength(asked)
    // A person says that it is lifted, which is not so, and then that it is.
    one.front.inject({ on: 'order-new', fault: pause })
    const askedAt = new Date()
    expect(await issuer.admit({ hostname, askedAt })).toEqual({ kind: 'go' })
    const asks = { hostname, askedAt }
    expect(await issuer.issue(asks, never)).toMatchObject({ reason: { code: 'ca/paused' } })
    expect((await issuer.describe()).authorities[0]?.pausedNames).toHaveLength(1)
    const yesterday = after(new Date(), milliseconds(-days(1))).getTime()
    await store.db.updateTable('acme_names').set({ paused_at: yesterday }).execute()
    expect((await issuer.issue({ hostname }, never)).kind).toBe('issued')
    expect((await issuer.describe()).authorities[0]?.pausedNames).toEqual([])
  })

  it('finishes an order that is as good as done before it goes elsewhere', async () => {
    const { issuer } = setUp()
    await using _issuer = issuer
    const hostname = aHostname()
    const unavailable = { kind: 'problem', status: 500, type: 'serverInternal' } as const
    one.front.inject({ on: 'certificate', fault: unavailable })
    expect((await issuer.issue({ hostname }, never)).kind).toBe('refused')
    const elsewhere = { hostname, allowedCas: [nameOf(two)] }
    expect(certificateOf(await issuer.issue(elsewhere, never)).source).toBe(nameOf(one))
    expect(two.front.count('order-new')).toBe(0)
  })

  it('closes an order that is not, at the CA as well', async () => {
    const { issuer } = setUp()
    await using _issuer = issuer
    const hostname = aHostname()
    const unavailable = { kind: 'problem', status: 500, type: 'serverInternal' } as const
    one.front.inject({ on: 'authorization', fault: unavailable })
    expect((await issuer.issue({ hostname }, never)).kind).toBe('refused')
    const elsewhere = { hostname, allowedCas: [nameOf(two)] }
    expect(certificateOf(await issuer.issue(elsewhere, never)).source).toBe(nameOf(two))
    expect(one.front.payloads('authorization')).toEqual([{ status: 'deactivated' }])
    expect((await issuer.describe()).openOrders).toEqual([])
  })

  it('leaves an order behind at a CA that is down', async () => {
    const { issuer, clock } = setUp()
    await using _issuer = issuer
    const hostname = aHostname()
    const unavailable = { kind: 'problem', status: 500, type: 'serverInternal' } as const
    one.front.inject({ on: 'authorization', fault: unavailable })
    expect((await issuer.issue({ hostname }, never)).kind).toBe('refused')
    switchOff(one.front)
    expect((await issuer.issue({ hostname }, never)).kind).toBe('refused')
    clock.move(minutes(11))
    expect(certificateOf(await issuer.issue({ hostname }, never)).source).toBe(nameOf(two))
    expect((await issuer.describe()).openOrders).toEqual([])
  })

  it('asks which window a certificate has of the CA it came from', async () => {
    const { issuer } = setUp()
    await using _issuer = issuer
    const need = { hostname: aHostname(), allowedCas: [nameOf(two)] }
    const certificate = certificateOf(await issuer.issue(need, never))
    one.front.reset()
    expect(await issuer.askWindow(certificate, never)).toMatchObject({ kind: 'window' })
    expect(two.front.count('renewal-info')).toBe(1)
    switchOff(two.front)
    expect(await issuer.askWindow(certificate, never)).toMatchObject({ kind: 'none' })
    const asked = two.front.requests.length
    expect(await issuer.askWindow(certificate, never)).toMatchObject({
      ...{ kind: 'none', askAt: expect.any(Date) },
    })
    expect(two.front.requests).toHaveLength(asked)
    expect(one.front.requests).toEqual([])
  })

  it.each(['drop-before', 'unavailable'])(
    'goes on ordering when a question fails: %s',
    async (how) => {
      const { issuer, clock } = setUp()
      await using _issuer = issuer
      const certificate = certificateOf(await issuer.issue({ hostname: aHostname() }, never))
      const unavailable = { kind: 'problem', status: 503, type: 'serverInternal' } as const
      const fault = how === 'unavailable' ? unavailable : ({ kind: 'drop-before' } as const)
      one.front.inject(
        ...(['renewal-info', 'revoke'] as const).map((on) => ({ on, times: 9, fault })),
      )
      expect(await issuer.askWindow(certificate, never)).toMatchObject({ kind: 'none' })
      expect(await issuer.revoke(certificate, 'superseded', never)).toMatchObject({
        kind: 'refused',
      })
      // The others are not asked for a while: they would hear the same.
      expect(await issuer.askWindow(certificate, never)).toMatchObject({ kind: 'none' })
      expect(one.front.count('renewal-info')).toBe(1)
      expect((await issuer.describe()).authorities).toMatchObject([{ health: 'up' }, {}])
      expect((await issuer.issue({ hostname: aHostname() }, never)).kind).toBe('issued')
      one.front.reset()
      clock.move(minutes(2))
      expect(await issuer.askWindow(certificate, never)).toMatchObject({ kind: 'window' })
    },
  )

  it('tells of each whether it answers', async () => {
    const { issuer } = setUp()
    await using _issuer = issuer
    switchOff(two.front)
    expect(await issuer.checkHealth(never)).toMatchObject([
      { kind: 'reachable', name: nameOf(one) },
      { kind: 'unreachable', name: nameOf(two) },
    ])
  })

  it('binds accounts to customers by CA, and asks each for its own profile', async () => {
    const key = Buffer.alloc(32, 5).toString('base64url')
    const profiles = { shortlived: hours(160) }
    await using bound = await startAcmeWorld({ externalAccountKeys: { 'kid-1': key }, profiles })
    await writeFile(one.rootsFile, await readFile(bound.rootsFile), { flag: 'a' })
    const ca = `${one.front.directoryUrl},${nameOf(bound)}`
    const options = {
      ca,
      eab: { [nameOf(bound)]: `kid-1:${key}` },
      profile: { [nameOf(bound)]: 'shortlived' },
    }
    await using issuer = anIssuer(one, store, { options })
    bound.answerFrom(issuer.book)
    const need = { hostname: aHostname(), allowedCas: [nameOf(bound)] }
    const certificate = certificateOf(await issuer.issue(need, never))
    const lifeMs = certificate.notAfter.getTime() - certificate.notBefore.getTime()
    expect(lifeMs).toBeLessThanOrEqual(hours(160))
    expect(certificate.renewBecause).toBe('half-used')
    expect(bound.front.payloads('order-new')).toMatchObject([{ profile: 'shortlived' }])
    await issuer.issue({ hostname: aHostname() }, never)
    expect(one.front.payloads('order-new')[0]).not.toHaveProperty('profile')
    expect((await issuer.describe()).authorities.map(({ profile }) => profile)).toEqual([
      ...[undefined, 'shortlived'],
    ])
  })

  it('places no order for a profile that the CA does not offer', async () => {
    await using issuer = anIssuer(one, store, { options: { profile: 'forever' } })
    const outcome = await issuer.issue({ hostname: aHostname() }, never)
    expect(outcome).toMatchObject({
      kind: 'refused',
      reason: { code: 'ca/rejected', sentence: expect.stringContaining('it offers default') },
    })
    expect(one.front.count('order-new')).toBe(0)
    expect((await issuer.describe()).openOrders).toEqual([])
  })
})
