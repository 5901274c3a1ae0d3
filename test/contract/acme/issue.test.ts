import { X509Certificate } from 'node:crypto'
import { rename } from 'node:fs/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { days, parseHostname } from '../../../src/kernel/index.ts'
import { type AcmeWorld, aHostname, anIssuer, startAcmeWorld } from '../../support/acme-world.ts'
import type { RequestKind } from '../../support/fault-front.ts'
import { leave } from '../../support/leave.ts'
import { pebbleIsAtLeast, pebbleIsMissing, pebbleLabel } from '../../support/pebble.ts'
import { describeEachStore, openSqliteTestStore } from '../../support/stores.ts'

const never = new AbortController().signal
const SIGNED: readonly RequestKind[] = [
  ...(['order-new', 'order', 'authorization', 'challenge', 'finalize', 'certificate'] as const),
]

describe.skipIf(pebbleIsMissing)(`issuing ${pebbleLabel}`, () => {
  let world: AcmeWorld
  beforeAll(async () => {
    world = await startAcmeWorld()
  })
  afterAll(() => world[Symbol.asyncDispose]())
  beforeEach(() => world.front.reset())

  describeEachStore((openTestStore) => {
    it('gets a verified certificate that nobody is served yet, and forgets the challenge', async () => {
      const store = await openTestStore()
      await using issuer = anIssuer(world, store)
      const hostname = aHostname()
      const outcome = await issuer.issue({ hostname }, never)
      if (outcome.kind !== 'issued') throw new Error(outcome.reason.sentence)
      const { certificate } = outcome
      expect(certificate.isCurrent).toBe(false)
      expect(certificate.source).toBe(world.front.directoryUrl)
      const leaf = new X509Certificate(certificate.chainPem)
      expect(leaf.checkHost(hostname, { subject: 'never' })).toBe(hostname)
      expect((await issuer.certs.exportKey(certificate.id)).reveal()).toContain('PRIVATE KEY')
      expect(await store.db.selectFrom('challenges').selectAll().execute()).toEqual([])
      const orders = await store.db.selectFrom('acme_orders').selectAll().execute()
      expect(orders).toMatchObject([
        { id: certificate.id, state: 'issued', certificate_id: certificate.id },
      ])
      expect(orders.map(({ sealed_key }) => sealed_key.length)).toEqual([0])
    })

    it('writes nothing between the proof and the end of an order, and then forgets the token', async () => {
      const store = await openTestStore()
      await using issuer = anIssuer(world, store)
      const shown = () => store.db.selectFrom('challenges').select('hostname').execute()
      const seen: number[] = []
      const tell = async () => void seen.push((await shown()).length)
      world.front.inject({ on: 'finalize', fault: { kind: 'notify', when: 'before', tell } })
      expect((await issuer.issue({ hostname: aHostname() }, never)).kind).toBe('issued')
      expect([...seen, (await shown()).length]).toEqual([1, 0])

      const refusal = { kind: 'problem', status: 400, type: 'badCSR' } as const
      world.front.inject({ on: 'finalize', fault: refusal })
      expect((await issuer.issue({ hostname: aHostname() }, never)).kind).toBe('refused')
      expect(await shown()).toEqual([])
    })

    it('begins anew for a host that left amid an order and came back', async () => {
      const store = await openTestStore()
      await using issuer = anIssuer(world, store)
      const hostname = aHostname()
      const unavailable = { kind: 'problem', status: 500, type: 'serverInternal' } as const
      world.front.inject({ on: 'authorization', fault: unavailable })
      expect((await issuer.issue({ hostname }, never)).kind).toBe('refused')
      await leave(store, hostname)
      expect((await issuer.describe()).openOrders).toEqual([])
      expect((await issuer.issue({ hostname }, never)).kind).toBe('issued')
      expect(world.front.count('order-new')).toBe(2)
    })

    it('begins anew when the key of an open order is gone', async () => {
      const store = await openTestStore()
      await using issuer = anIssuer(world, store)
      const hostname = aHostname()
      const unavailable = { kind: 'problem', status: 500, type: 'serverInternal' } as const
      world.front.inject({ on: 'authorization', fault: unavailable })
      expect((await issuer.issue({ hostname }, never)).kind).toBe('refused')
      await store.db
        .updateTable('acme_orders')
        .set({ sealed_key: Buffer.alloc(0) })
        .execute()
      expect((await issuer.describe()).openOrders).toMatchObject([{ hostname, state: 'placed' }])
      expect((await issuer.issue({ hostname }, never)).kind).toBe('issued')
      expect(world.front.count('order-new')).toBe(2)
    })

    it('makes one account, however many ask at once, on however many nodes', async () => {
      const store = await openTestStore()
      await using one = anIssuer(world, store)
      await using two = anIssuer(world, store)
      const outcomes = await Promise.all(
        [one, two, one, two].map((issuer) => issuer.issue({ hostname: aHostname() }, never)),
      )
      expect(outcomes.map(({ kind }) => kind)).toEqual(['issued', 'issued', 'issued', 'issued'])
      const accounts = await store.db.selectFrom('acme_accounts').selectAll().execute()
      expect(accounts).toHaveLength(1)
      // Two nodes may both register, with the same key: the CA answers with the same account.
      const status = await one.describe()
      const [authority] = await two.authorities()
      expect(status.accounts).toMatchObject([{ url: authority?.accountUrl }])
    })
  })

  it('asks the CA at most 8 times for a certificate, and for no nonce once warm', async () => {
    await using store = await openSqliteTestStore()
    await using issuer = anIssuer(world, store)
    await issuer.issue({ hostname: aHostname() }, never)
    const counts: number[] = []
    for (let round = 0; round < 10; round += 1) {
      world.front.reset()
      expect((await issuer.issue({ hostname: aHostname() }, never)).kind).toBe('issued')
      counts.push(world.front.requests.length)
      expect(world.front.count('nonce', 'directory', 'account')).toBe(0)
    }
    const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length
    expect(mean, counts.join(' ')).toBeLessThanOrEqual(8)
  })

  it('asks for exactly the term, because this CA lets us', async () => {
    await using store = await openSqliteTestStore()
    await using issuer = anIssuer(world, store, { options: { term: '60d' } })
    const outcome = await issuer.issue({ hostname: aHostname() }, never)
    if (outcome.kind !== 'issued') throw new Error(outcome.reason.sentence)
    const { notAfter, createdAt, renewAt } = outcome.certificate
    expect(Math.abs(notAfter.getTime() - createdAt.getTime() - days(60))).toBeLessThan(120_000)
    expect(renewAt.getTime()).toBeLessThan(createdAt.getTime() + days(60))
  })

  it('finds out once that a CA does not let us choose the end, and asks without', async () => {
    await using store = await openSqliteTestStore()
    await using issuer = anIssuer(world, store)
    const refusal = { kind: 'problem', status: 400, type: 'malformed' } as const
    world.front.inject({ on: 'order-new', fault: refusal })
    expect((await issuer.issue({ hostname: aHostname() }, never)).kind).toBe('issued')
    expect((await issuer.issue({ hostname: aHostname() }, never)).kind).toBe('issued')
    expect(world.front.count('order-new')).toBe(3)
  })

  it('sends names longer than a common name may be', async () => {
    await using store = await openSqliteTestStore()
    await using issuer = anIssuer(world, store)
    const label = 'a'.repeat(60)
    const hostname = parseHostname(`email.${label}.customer.test`)
    if (!hostname) throw new Error('not a host name')
    expect((await issuer.issue({ hostname }, never)).kind).toBe('issued')
  })

  it('does not register before the terms are agreed to', async () => {
    await using store = await openSqliteTestStore()
    await using issuer = anIssuer(world, store, { options: { agreeTerms: false } })
    const outcome = await issuer.issue({ hostname: aHostname() }, never)
    expect(outcome).toMatchObject({ kind: 'refused', reason: { code: 'term/not-agreed' } })
    expect(world.front.requests).toEqual(['directory'])
    expect(await store.db.selectFrom('acme_accounts').selectAll().execute()).toEqual([])
  })

  it('joins two calls for one name into one order', async () => {
    await using store = await openSqliteTestStore()
    await using issuer = anIssuer(world, store)
    const hostname = aHostname()
    const [a, b] = await Promise.all([
      issuer.issue({ hostname }, never),
      issuer.issue({ hostname }, never),
    ])
    expect(a).toEqual(b)
    expect(world.front.count('order-new')).toBe(1)
  })

  it('does not order again while a certificate lies there unused', async () => {
    await using store = await openSqliteTestStore()
    await using issuer = anIssuer(world, store)
    const hostname = aHostname()
    const first = await issuer.issue({ hostname }, never)
    const again = await issuer.issue({ hostname }, never)
    expect(again).toEqual(first)
    expect(world.front.count(...SIGNED)).toBeLessThan(10)
    if (first.kind !== 'issued') throw new Error(first.reason.sentence)

    await issuer.certs.activate(first.certificate.id)
    const renewed = await issuer.issue({ hostname }, never)
    if (renewed.kind !== 'issued') throw new Error(renewed.reason.sentence)
    expect(renewed.certificate.id).not.toBe(first.certificate.id)

    await leave(store, hostname)
    const returned = await issuer.issue({ hostname }, never)
    if (returned.kind !== 'issued') throw new Error(returned.reason.sentence)
    expect(returned.certificate.id).not.toBe(renewed.certificate.id)
  })

  it('shows who the CA is and what its clock says', async () => {
    await using store = await openSqliteTestStore()
    await using issuer = anIssuer(world, store)
    expect(await issuer.authorities()).toMatchObject([{ directoryUrl: world.front.directoryUrl }])
    const health = await issuer.checkHealth(never)
    expect(health).toMatchObject([{ kind: 'reachable', caDate: expect.any(Date) }])
    expect(await issuer.describe()).toMatchObject({ accounts: [], openOrders: [] })
  })

  it('stops at once when told to, and goes on later with the same order', async () => {
    await using store = await openSqliteTestStore()
    await using issuer = anIssuer(world, store)
    const hostname = aHostname()
    const stopping = new AbortController()
    world.front.inject({
      on: 'authorization',
      fault: { kind: 'notify', when: 'before', tell: () => stopping.abort(new Error('stopped')) },
    })
    await expect(issuer.issue({ hostname }, stopping.signal)).rejects.toThrow('stopped')
    expect((await issuer.describe()).openOrders).toMatchObject([{ hostname, state: 'placed' }])
    expect((await issuer.issue({ hostname }, never)).kind).toBe('issued')
    expect(world.front.count('order-new')).toBe(1)
  })

  it('says at start that acme.roots cannot be read', async () => {
    await using store = await openSqliteTestStore()
    const missing = `${world.rootsFile}.gone`
    await rename(world.rootsFile, missing)
    try {
      expect(() => anIssuer(world, store)).toThrow(/acme\.roots is .* not a file of PEM/)
    } finally {
      await rename(missing, world.rootsFile)
    }
  })
})

describe.skipIf(pebbleIsMissing)(`a CA with moods ${pebbleLabel}`, () => {
  it('reuses authorizations that are still valid without another validation', async () => {
    await using world = await startAcmeWorld({ authzReusePercent: 100 })
    await using store = await openSqliteTestStore()
    await using issuer = anIssuer(world, store)
    const hostname = aHostname()
    const first = await issuer.issue({ hostname }, never)
    if (first.kind !== 'issued') throw new Error(first.reason.sentence)
    await issuer.certs.activate(first.certificate.id)
    const seen = world.validations
    world.front.reset()
    expect((await issuer.issue({ hostname }, never)).kind).toBe('issued')
    expect(world.validations).toBe(seen)
    expect(world.front.count('challenge')).toBe(0)
  })

  it.skipIf(!pebbleIsAtLeast('2.5.0'))(
    'asks for a second of patience, and gets it (needs Pebble 2.5.0)',
    async () => {
      await using world = await startAcmeWorld({ retryAfterSeconds: 1 })
      await using store = await openSqliteTestStore()
      await using issuer = anIssuer(world, store)
      expect((await issuer.issue({ hostname: aHostname() }, never)).kind).toBe('issued')
      expect(world.front.count('order')).toBeLessThanOrEqual(4)
    },
  )

  it.skipIf(!pebbleIsAtLeast('2.9.0'))(
    'has profiles: the one it offers is used, another is refused (needs Pebble 2.9.0)',
    async () => {
      await using world = await startAcmeWorld()
      await using store = await openSqliteTestStore()
      await using offered = anIssuer(world, store, { options: { profile: 'default' } })
      expect((await offered.issue({ hostname: aHostname() }, never)).kind).toBe('issued')
      await using unknown = anIssuer(world, store, { options: { profile: 'forever' } })
      const outcome = await unknown.issue({ hostname: aHostname() }, never)
      expect(outcome).toMatchObject({ kind: 'refused', reason: { code: 'ca/rejected' } })
      expect(outcome).toHaveProperty('reason.fix', expect.stringContaining('acme.profile'))
    },
  )

  it('refuses every second nonce and still issues', async () => {
    await using world = await startAcmeWorld({ nonceRejectPercent: 50 })
    await using store = await openSqliteTestStore()
    await using issuer = anIssuer(world, store)
    const outcomes = await Promise.all(
      Array.from({ length: 12 }, () => issuer.issue({ hostname: aHostname() }, never)),
    )
    expect(outcomes.filter(({ kind }) => kind === 'issued')).toHaveLength(12)
  })

  it('wants to know its customers: the account is bound to theirs', async () => {
    const key = Buffer.alloc(32, 5).toString('base64url')
    await using world = await startAcmeWorld({ externalAccountKeys: { 'kid-1': key } })
    await using store = await openSqliteTestStore()
    {
      await using stranger = anIssuer(world, store)
      const outcome = await stranger.issue({ hostname: aHostname() }, never)
      expect(outcome).toMatchObject({ kind: 'refused', reason: { code: 'ca/rejected' } })
      expect(world.front.requests).toEqual(['directory'])
    }
    await using customer = anIssuer(world, store, { options: { eab: `kid-1:${key}` } })
    expect((await customer.issue({ hostname: aHostname() }, never)).kind).toBe('issued')
  })

  it('forgets our account, and is given the same key again', async () => {
    await using world = await startAcmeWorld()
    await using store = await openSqliteTestStore()
    await using issuer = anIssuer(world, store)
    expect((await issuer.issue({ hostname: aHostname() }, never)).kind).toBe('issued')
    const forgotten = { kind: 'problem', status: 400, type: 'accountDoesNotExist' } as const
    world.front.inject({ on: 'order-new', fault: forgotten })
    expect((await issuer.issue({ hostname: aHostname() }, never)).kind).toBe('issued')
    expect(world.front.count('account')).toBe(2)
    expect(await store.db.selectFrom('acme_accounts').selectAll().execute()).toHaveLength(1)
  })
})
