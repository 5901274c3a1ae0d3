import { readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { IssueOutcome } from '../../../src/acme/index.ts'
import type { Certificate } from '../../../src/certs/index.ts'
import { after, days, hours, minutes } from '../../../src/kernel/index.ts'
import type { Store } from '../../../src/store/index.ts'
import {
  type AcmeWorld,
  aHostname,
  anIssuer,
  startAcmeWorld,
  type TestNeed,
} from '../../support/acme-world.ts'
import { aMovableClock } from '../../support/movable-clock.ts'
import { pebbleIsAtLeast, pebbleIsMissing, pebbleLabel } from '../../support/pebble.ts'
import { openSqliteTestStore } from '../../support/stores.ts'

const never = new AbortController().signal
const supported = !pebbleIsMissing && pebbleIsAtLeast('2.8.0')

describe.skipIf(!supported)(`a CA that answers and does not serve us ${pebbleLabel}`, () => {
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

  const setUp = (options: Readonly<Record<string, unknown>> = {}) => {
    const clock = aMovableClock()
    const ca = `${one.front.directoryUrl},${two.front.directoryUrl}`
    const issuer = anIssuer(one, store, { clock, options: { ca, ...options } })
    two.answerFrom(issuer.book)
    return { issuer, clock }
  }
  const certificateOf = (outcome: IssueOutcome): Certificate => {
    if (outcome.kind !== 'issued') throw new Error(outcome.reason.sentence)
    return outcome.certificate
  }
  const at = (world: AcmeWorld) => world.front.directoryUrl
  /** One in use, that ends soon. */
  const endingSoon = (held: Certificate, now: Date): TestNeed => ({
    ...{ hostname: held.hostname, urgency: 'expiring' },
    replacing: { ...held, renewAt: now, notAfter: after(now, hours(20)) },
  })

  it.each([
    ['userActionRequired', 403],
    ['externalAccountRequired', 403],
    ['invalidProfile', 400],
  ] as const)('is waited for like one that is down, and then left: %s', async (type, status) => {
    const { issuer, clock } = setUp()
    await using _issuer = issuer
    const fault = { kind: 'problem', status, type } as const
    one.front.inject({ on: 'order-new', times: 100, fault })
    const hostname = aHostname()
    const refused = await issuer.issue({ hostname }, never)
    expect(refused).toMatchObject({ kind: 'refused', reason: { code: 'ca/rejected' } })
    expect(await issuer.issue({ hostname: aHostname() }, never)).toMatchObject(
      refused.kind === 'refused' ? { reason: { code: 'ca/rejected' } } : {},
    )
    expect(one.front.count('order-new')).toBe(1)
    const [authority] = (await issuer.describe()).authorities
    expect(authority).toMatchObject({ health: 'down', why: expect.any(String) })
    clock.move(minutes(9))
    expect(await issuer.issue({ hostname }, never)).toMatchObject({ kind: 'refused' })
    expect(two.front.count('order-new')).toBe(0)
    clock.move(minutes(2))
    expect(certificateOf(await issuer.issue({ hostname }, never)).source).toBe(at(two))
  })

  it('lets a deactivated account cost five orders and not the fleet', async () => {
    const { issuer, clock } = setUp()
    await using _issuer = issuer
    const fault = { kind: 'problem', status: 403, type: 'unauthorized' } as const
    one.front.inject({ on: 'order-new', times: 100, fault })
    const hostname = aHostname()
    for (let round = 0; round < 9; round += 1) await issuer.issue({ hostname }, never)
    expect(one.front.count('order-new')).toBe(5)
    clock.move(minutes(11))
    expect(certificateOf(await issuer.issue({ hostname }, never)).source).toBe(at(two))
  })

  it('gives its default profile to a certificate that ends soon, when ours is withdrawn', async () => {
    const { issuer, clock } = setUp({ ca: at(one), profile: 'default' })
    await using _issuer = issuer
    const held = certificateOf(await issuer.issue({ hostname: aHostname() }, never))
    await issuer.certs.activate(held.id)
    const fault = { kind: 'problem', status: 400, type: 'invalidProfile' } as const
    one.front.inject({ on: 'order-new', times: 2, fault })
    const patient = { hostname: held.hostname, urgency: 'renewal', replacing: held } as const
    expect(await issuer.issue(patient, never)).toMatchObject({ kind: 'refused' })
    one.front.reset()
    one.front.inject({ on: 'order-new', times: 1, fault })
    const urgent = endingSoon(held, clock.now())
    expect((await issuer.issue(urgent, never)).kind).toBe('issued')
    const profiles = one.front.payloads('order-new').map((order) => Object(order).profile)
    expect(profiles).toEqual(['default', undefined])
    // The others still wait for the profile.
    expect(await issuer.admit({ hostname: aHostname() })).toMatchObject({ kind: 'wait' })
  })

  it('gives it also where the directory knows no such profile any more', async () => {
    await using issuer = anIssuer(one, store, { options: { profile: 'forever' } })
    const now = new Date()
    const other = anIssuer(one, store)
    await using _other = other
    const held = certificateOf(await other.issue({ hostname: aHostname() }, never))
    await other.certs.activate(held.id)
    expect((await issuer.issue(endingSoon(held, now), never)).kind).toBe('issued')
    expect(one.front.payloads('order-new').at(-1)).not.toHaveProperty('profile')
  })

  it('keeps an expiring host no longer than it can wait, when an order is stuck', async () => {
    const { issuer, clock } = setUp()
    await using _issuer = issuer
    const held = certificateOf(await issuer.issue({ hostname: aHostname() }, never))
    await issuer.certs.activate(held.id)
    // The order is processed, and goes on being processed.
    const processing = (body: string) =>
      JSON.stringify({ ...JSON.parse(body), status: 'processing', certificate: undefined })
    const fault = { kind: 'replace', body: processing } as const
    const failing = { kind: 'problem', status: 500, type: 'serverInternal' } as const
    one.front.inject({ on: 'finalize', fault: failing })
    const urgent = endingSoon(held, clock.now())
    expect((await issuer.issue(urgent, never)).kind).toBe('refused')
    one.front.inject({ on: 'order', times: 1_000, fault })
    clock.move(minutes(9))
    expect(await issuer.admit(urgent)).toEqual({ kind: 'go' })
    expect(two.front.count('order-new')).toBe(0)
    clock.move(minutes(2))
    expect(certificateOf(await issuer.issue(urgent, never)).source).toBe(at(two))
    expect((await issuer.describe()).openOrders).toEqual([])
  })

  it('keeps a host that has time, although its order is stuck', async () => {
    const { issuer, clock } = setUp()
    await using _issuer = issuer
    const held = certificateOf(await issuer.issue({ hostname: aHostname() }, never))
    await issuer.certs.activate(held.id)
    const failing = { kind: 'problem', status: 500, type: 'serverInternal' } as const
    one.front.inject({ on: 'finalize', fault: failing })
    const now = clock.now()
    const replacing = { ...held, renewAt: now, notAfter: after(now, days(30)) }
    const patient = { hostname: held.hostname, urgency: 'renewal', replacing } as const
    expect((await issuer.issue(patient, never)).kind).toBe('refused')
    clock.move(hours(5))
    expect(certificateOf(await issuer.issue(patient, never)).source).toBe(at(one))
    expect(two.front.requests).toEqual([])
  })
})
