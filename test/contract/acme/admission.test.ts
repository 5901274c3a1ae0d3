import { readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { after, minutes } from '../../../src/kernel/index.ts'
import { type AcmeWorld, aHostname, anIssuer, startAcmeWorld } from '../../support/acme-world.ts'
import { aMovableClock } from '../../support/movable-clock.ts'
import { pebbleIsMissing, pebbleLabel } from '../../support/pebble.ts'
import { describeEachStore, openSqliteTestStore } from '../../support/stores.ts'

const never = new AbortController().signal

describe.skipIf(pebbleIsMissing)(`orders within limits ${pebbleLabel}`, () => {
  let world: AcmeWorld
  beforeAll(async () => {
    world = await startAcmeWorld()
  })
  afterAll(() => world[Symbol.asyncDispose]())
  beforeEach(() => world.front.reset())

  /** A CA of the operator's own has no limits but those that are set here. */
  const limited = (limits: Readonly<Record<string, string>>) => ({
    options: { limits: { [world.front.directoryUrl]: limits } },
  })

  describeEachStore((openTestStore) => {
    it('spends no more than there is, however many come at once on two nodes', async () => {
      const store = await openTestStore()
      const options = limited({ 'orders-per-account': '3/10h' })
      await using one = anIssuer(world, store, options)
      await using two = anIssuer(world, store, options)
      // Of three, for the CA may count later than we do.
      expect(await one.room('first')).toBe(2)
      const outcomes = await Promise.all(
        [one, two, one, two, one, two, one, two].map((issuer) =>
          issuer.issue({ hostname: aHostname() }, never),
        ),
      )
      const kinds = outcomes.map(({ kind }) => kind).toSorted()
      expect(kinds).toEqual([
        ...['issued', 'issued'],
        ...['queued', 'queued', 'queued', 'queued', 'queued', 'queued'],
      ])
      expect(world.front.count('order-new')).toBe(2)
      expect(await one.room('first')).toBe(0)
      const next = { hostname: aHostname() }
      const admission = await one.admit(next)
      expect(admission).toMatchObject({ kind: 'queue', reason: { code: 'ca/rate-limited' } })
      expect(await two.issue(next, never)).toEqual(
        admission.kind === 'queue' && { ...admission, kind: 'queued' },
      )
      expect((await one.describe()).authorities[0]?.budgets).toMatchObject([
        { limit: 'orders-per-account', left: 1 },
      ])
      expect((await one.describe()).openOrders).toEqual([])
    })
  })

  it('spends nothing a second time for an order that was left open', async () => {
    await using store = await openSqliteTestStore()
    await using issuer = anIssuer(world, store, limited({ 'orders-per-account': '1/10h' }))
    const hostname = aHostname()
    const unavailable = { kind: 'problem', status: 500, type: 'serverInternal' } as const
    world.front.inject({ on: 'authorization', fault: unavailable })
    expect((await issuer.issue({ hostname }, never)).kind).toBe('refused')
    expect(await issuer.room('first')).toBe(0)
    expect(await issuer.admit({ hostname })).toEqual({ kind: 'go' })
    expect((await issuer.issue({ hostname }, never)).kind).toBe('issued')
    // And what is there needs no order.
    expect(await issuer.admit({ hostname })).toEqual({ kind: 'go' })
    expect((await issuer.issue({ hostname }, never)).kind).toBe('issued')
    expect(world.front.count('order-new')).toBe(1)
  })

  it('spends again for an order that is asked for again, as its answer was lost', async () => {
    await using store = await openSqliteTestStore()
    await using issuer = anIssuer(world, store, limited({ 'orders-per-account': '4/10h' }))
    await issuer.issue({ hostname: aHostname() }, never)
    expect(await issuer.room('first')).toBe(2)
    world.front.reset()
    world.front.inject({ on: 'order-new', fault: { kind: 'drop-before' } })
    const hostname = aHostname()
    expect((await issuer.issue({ hostname }, never)).kind).toBe('issued')
    expect(world.front.count('order-new')).toBe(2)
    expect(await issuer.room('first')).toBe(0)
  })

  it('asks for no order again that the budget has no room for', async () => {
    await using store = await openSqliteTestStore()
    await using issuer = anIssuer(world, store, limited({ 'orders-per-account': '2/10h' }))
    world.front.inject({ on: 'order-new', fault: { kind: 'drop-before' } })
    const hostname = aHostname()
    expect(await issuer.issue({ hostname }, never)).toMatchObject({ kind: 'queued' })
    expect(await issuer.admit({ hostname })).toMatchObject({ kind: 'queue' })
    expect(world.front.count('order-new')).toBe(1)
  })

  it('lets a name rest whose validation failed too often, and others go on', async () => {
    await using store = await openSqliteTestStore()
    await using issuer = anIssuer(world, store, limited({ 'failures-per-name': '1/10h' }))
    const hostname = aHostname()
    world.answerFrom({ answer: async () => 'not ours' })
    const refused = await issuer.issue({ hostname }, never)
    expect(refused).toMatchObject({ kind: 'refused', reason: { code: 'http/wrong-answer' } })
    world.answerFrom(issuer.book)
    const admission = await issuer.admit({ hostname })
    expect(admission).toMatchObject({ kind: 'wait', until: expect.any(Date) })
    const asked = world.front.requests.length
    expect(await issuer.issue({ hostname }, never)).toMatchObject({ kind: 'refused' })
    expect(world.front.requests).toHaveLength(asked)
    expect((await issuer.issue({ hostname: aHostname() }, never)).kind).toBe('issued')
  })

  it('obeys a limit that it did not foresee, to the second', async () => {
    await using store = await openSqliteTestStore()
    const clock = aMovableClock()
    await using issuer = anIssuer(world, store, { clock })
    const limit = { kind: 'problem', status: 429, type: 'rateLimited', retryAfter: '600' } as const
    world.front.inject({ on: 'order-new', fault: limit })
    const hostname = aHostname()
    const before = clock.now()
    expect(await issuer.issue({ hostname }, never)).toMatchObject({
      ...{ kind: 'refused', reason: { code: 'ca/rate-limited' } },
    })
    const admission = await issuer.admit({ hostname })
    if (admission.kind !== 'wait') throw new Error(admission.kind)
    expect(admission.until >= after(before, minutes(10))).toBe(true)
    expect(world.front.count('order-new')).toBe(1)
    clock.move(minutes(11))
    expect((await issuer.issue({ hostname }, never)).kind).toBe('issued')
  })

  it('does not take a host to another CA that failed by its own fault', async () => {
    await using other = await startAcmeWorld()
    await writeFile(world.rootsFile, await readFile(other.rootsFile), { flag: 'a' })
    await using store = await openSqliteTestStore()
    const { options } = limited({ 'failures-per-name': '1/10h' })
    const ca = `${world.front.directoryUrl},${other.front.directoryUrl}`
    await using issuer = anIssuer(world, store, { options: { ...options, ca } })
    const hostname = aHostname()
    world.answerFrom({ answer: async () => 'not ours' })
    for (let round = 0; round < 2; round += 1) {
      expect(await issuer.issue({ hostname }, never)).toMatchObject({ kind: 'refused' })
    }
    expect(world.front.count('order-new')).toBe(1)
    expect(other.front.requests).toEqual([])
  })

  it('takes a host that has waited for ten minutes to a CA that has room', async () => {
    await using other = await startAcmeWorld()
    await writeFile(world.rootsFile, await readFile(other.rootsFile), { flag: 'a' })
    await using store = await openSqliteTestStore()
    const clock = aMovableClock()
    const { options } = limited({ 'orders-per-account': '1/10h' })
    const ca = `${world.front.directoryUrl},${other.front.directoryUrl}`
    await using issuer = anIssuer(world, store, { clock, options: { ...options, ca } })
    other.answerFrom(issuer.book)
    expect((await issuer.issue({ hostname: aHostname() }, never)).kind).toBe('issued')
    const outcome = await issuer.issue({ hostname: aHostname() }, never)
    // Ten hours are longer than a first certificate waits.
    if (outcome.kind !== 'issued') throw new Error(outcome.reason.sentence)
    expect(outcome.certificate.source).toBe(other.front.directoryUrl)
    expect(await issuer.room('first')).toBeGreaterThan(0)
  })
})
