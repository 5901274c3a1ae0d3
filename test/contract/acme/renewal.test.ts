import { X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { IssueOutcome } from '../../../src/acme/index.ts'
import type { Certificate } from '../../../src/certs/index.ts'
import {
  after,
  days,
  type Hostname,
  hours,
  milliseconds,
  minutes,
} from '../../../src/kernel/index.ts'
import type { Store } from '../../../src/store/index.ts'
import {
  type AcmeWorld,
  aHostname,
  anIssuer,
  startAcmeWorld,
  type TestIssuer,
} from '../../support/acme-world.ts'
import { pebbleIsAtLeast, pebbleIsMissing, pebbleLabel } from '../../support/pebble.ts'
import { setRenewalInfo, windowText } from '../../support/renewal-info.ts'
import { openSqliteTestStore } from '../../support/stores.ts'

const never = new AbortController().signal

describe.skipIf(pebbleIsMissing || !pebbleIsAtLeast('2.8.0'))(`renewing ${pebbleLabel}`, () => {
  let world: AcmeWorld
  let store: Store
  let issuer: TestIssuer

  beforeAll(async () => {
    world = await startAcmeWorld()
    store = await openSqliteTestStore()
    issuer = anIssuer(world, store)
  })
  afterAll(async () => {
    await issuer[Symbol.asyncDispose]()
    await store[Symbol.asyncDispose]()
    await world[Symbol.asyncDispose]()
  })
  beforeEach(() => world.front.reset())

  /** One that is in use. */
  const issued = async (hostname = aHostname()): Promise<Certificate> =>
    activated(await issuer.issue({ hostname }, never))
  const activated = async (outcome: IssueOutcome): Promise<Certificate> => {
    if (outcome.kind !== 'issued') throw new Error(outcome.reason.sentence)
    await issuer.certs.activate(outcome.certificate.id)
    return outcome.certificate
  }
  const renew = (replacing: Certificate, hostname: Hostname = replacing.hostname) =>
    issuer.issue({ hostname, urgency: 'renewal', replacing }, never)
  const orders = () => world.front.payloads('order-new')
  const named = { replaces: expect.stringMatching(/^[\w-]+\.[\w-]+$/) }

  it('asks the CA without a signature, and is told a window amid the life', async () => {
    const certificate = await issued()
    world.front.reset()
    const answer = await issuer.askWindow(certificate, never)
    if (answer.kind !== 'window') throw new Error('no window')
    expect(world.front.requests).toEqual(['renewal-info'])
    expect(answer.window.start > certificate.notBefore).toBe(true)
    expect(answer.window.end < certificate.notAfter).toBe(true)
    const waitMs = answer.askAt.getTime() - Date.now()
    expect(waitMs).toBeGreaterThan(minutes(1) - 1_000)
    expect(waitMs).toBeLessThanOrEqual(days(1))
    const plan = issuer.plan(certificate, answer.window)
    expect(plan.because).toBe('ca-suggested-it')
    expect(plan.renewAt >= answer.window.start && plan.renewAt < answer.window.end).toBe(true)
  })

  it('gets a new certificate for a person who asks, though one waits to be put to use', async () => {
    const current = await issued()
    const { hostname } = current
    const waiting = await renew(current)
    if (waiting.kind !== 'issued') throw new Error(waiting.reason.sentence)
    const need = { hostname, urgency: 'replace-now', replacing: current } as const
    const before = { ...need, askedAt: after(waiting.certificate.createdAt, milliseconds(-1)) }
    expect(await issuer.issue(before, never)).toMatchObject(waiting)
    const asked = { ...need, askedAt: new Date() }
    const fresh = await issuer.issue(asked, never)
    if (fresh.kind !== 'issued') throw new Error(fresh.reason.sentence)
    expect(fresh.certificate.id).not.toBe(waiting.certificate.id)
    // And not one more when it is asked again.
    expect(await issuer.issue(asked, never)).toMatchObject(fresh)
  })

  it('hears that a certificate is to be replaced at once, and why', async () => {
    const certificate = await issued()
    const now = new Date()
    const page = 'https://ca.example.test/incident'
    const past = windowText(after(now, hours(-1)), after(now, minutes(-30)), page)
    await setRenewalInfo(world.pebble, certificate.chainPem, past)
    const answer = await issuer.askWindow(certificate, never)
    expect(answer).toMatchObject({ kind: 'window', explanationUrl: page })
    if (answer.kind !== 'window') return
    const held = { ...certificate, createdAt: after(certificate.createdAt, hours(-2)) }
    const plan = issuer.plan(held, answer.window)
    expect(plan.because).toBe('ca-says-now')
    expect(plan.renewAt.getTime()).toBeLessThanOrEqual(Date.now())
  })

  it('keeps what the CA says about asking again between a minute and a day', async () => {
    const certificate = await issued()
    const wait = async (retryAfter: string) => {
      world.front.inject({
        on: 'renewal-info',
        fault: { kind: 'header', name: 'retry-after', value: retryAfter },
      })
      const { askAt } = await issuer.askWindow(certificate, never)
      return (askAt?.getTime() ?? 0) - Date.now()
    }
    expect(await wait('0')).toBeGreaterThan(minutes(1) - 1_000)
    expect(await wait('1')).toBeLessThan(minutes(2))
    expect(await wait('21600')).toBeGreaterThan(hours(6) - 1_000)
    expect(await wait('99999999')).toBeLessThanOrEqual(days(1))
    expect(await wait('99999999')).toBeGreaterThan(days(1) - 1_000)
  })

  it.each([
    ['ends before it begins', windowText(new Date('2027-02-02'), new Date('2027-02-01'))],
    ['has no end', '{"suggestedWindow":{"start":"2027-02-01T00:00:00Z"}}'],
    ['has dates that are none', '{"suggestedWindow":{"start":"soon","end":"later"}}'],
    ['is not there', '{}'],
    ['is no JSON', '<html>'],
  ])('takes a window that %s for no answer, and asks again in hours', async (_name, text) => {
    const certificate = await issued()
    await setRenewalInfo(world.pebble, certificate.chainPem, text)
    const answer = await issuer.askWindow(certificate, never)
    expect(answer.kind).toBe('none')
    const waitMs = (answer.askAt?.getTime() ?? 0) - Date.now()
    expect(waitMs).toBeGreaterThan(minutes(59))
    expect(waitMs).toBeLessThan(hours(7))
  })

  it('never asks again about one that is over, or that no CA of ours issued', async () => {
    const certificate = await issued()
    const never1 = { kind: 'none', askAt: undefined }
    const over = { ...certificate, notAfter: new Date(Date.now() - 1) }
    expect(await issuer.askWindow(over, never)).toEqual(never1)
    expect(await issuer.askWindow({ ...certificate, source: 'customer' }, never)).toEqual(never1)
  })

  it('asks again in a day when the CA offers no windows for a while', async () => {
    const certificate = await issued()
    const without = (body: string) =>
      JSON.stringify({ ...JSON.parse(body), renewalInfo: undefined })
    world.front.inject({ on: 'directory', fault: { kind: 'replace', body: without } })
    await issuer.checkHealth(never)
    const answer = await issuer.askWindow(certificate, never)
    expect(answer.kind).toBe('none')
    const waitMs = (answer.askAt?.getTime() ?? 0) - Date.now()
    expect(waitMs).toBeGreaterThan(hours(23))
    expect(waitMs).toBeLessThanOrEqual(days(1))
    await issuer.checkHealth(never)
    expect(await issuer.askWindow(certificate, never)).toMatchObject({ kind: 'window' })
  })

  it('says what it replaces, with another key, and once more the next time', async () => {
    const first = await issued()
    expect(orders()).toMatchObject([expect.not.objectContaining({ replaces: expect.anything() })])
    world.front.reset()
    const second = await activated(await renew(first))
    expect(orders()).toMatchObject([named])
    const [before, now] = [first, second].map(({ chainPem }) => new X509Certificate(chainPem))
    expect(now?.publicKey.equals(before?.publicKey ?? now.publicKey)).toBe(false)
    expect(await activated(await renew(second))).toMatchObject({ hostname: first.hostname })
    expect(orders()).toMatchObject([named, named])
    expect(orders()[0]).not.toEqual(orders()[1])
  })

  it('asks at most 8 times for a renewal', async () => {
    const first = await issued()
    world.front.reset()
    await activated(await renew(first))
    expect(world.front.requests.length, world.front.requests.join(' ')).toBeLessThanOrEqual(8)
  })

  it('orders without it when the CA says that it was replaced already', async () => {
    const first = await issued()
    await activated(await renew(first))
    world.front.reset()
    await activated(await renew(first))
    const [refused, accepted, ...more] = orders()
    expect(refused).toMatchObject(named)
    expect(accepted).not.toHaveProperty('replaces')
    expect(more).toEqual([])
  })

  it.each([
    ['malformed', 400],
    ['malformed', 404],
    ['unauthorized', 403],
    ['alreadyReplaced', 409],
    ['serverInternal', 500],
  ])('orders without it, once, when the CA says %s (%d)', async (type, status) => {
    const first = await issued()
    world.front.reset()
    world.front.inject({ on: 'order-new', fault: { kind: 'problem', status, type } })
    await activated(await renew(first))
    expect(orders()).toHaveLength(2)
    expect(orders()[1]).not.toHaveProperty('replaces')
    // What a CA finds fault with in one certificate it may take of the next.
    const other = await issued()
    world.front.reset()
    await activated(await renew(other))
    expect(orders()).toMatchObject([named])
  })

  it('does not name a certificate that another account or another CA issued', async () => {
    const first = await issued()
    world.front.reset()
    await activated(await renew({ ...first, source: 'letsencrypt' }))
    await store.db
      .updateTable('acme_orders')
      .set({ account_id: 'gone' })
      .where('id', '=', first.id)
      .execute()
    await activated(await renew(first))
    expect(orders()).toHaveLength(2)
    for (const order of orders()) expect(order).not.toHaveProperty('replaces')
  })

  it('revokes, for reasons that CAs take, and is content if it was done before', async () => {
    const certificate = await issued()
    world.front.reset()
    expect(await issuer.revoke(certificate, 'superseded', never)).toEqual({ kind: 'revoked' })
    expect(world.front.payloads('revoke')).toMatchObject([{ reason: 4 }])
    expect(await issuer.revoke(certificate, 'superseded', never)).toEqual({ kind: 'revoked' })
    const answer = await issuer.askWindow(certificate, never)
    if (answer.kind !== 'window') throw new Error('no window')
    expect(answer.window.end.getTime()).toBeLessThan(Date.now())
  })

  it('says why a certificate cannot be revoked', async () => {
    const certificate = await issued()
    const own = await issuer.revoke({ ...certificate, source: 'customer' }, 'unspecified', never)
    expect(own).toMatchObject({ kind: 'refused', reason: { code: 'ca/rejected' } })
    const refusal = { kind: 'problem', status: 400, type: 'badRevocationReason' } as const
    world.front.inject({ on: 'revoke', fault: refusal })
    expect(await issuer.revoke(certificate, 'keyCompromise', never)).toMatchObject({
      ...{ kind: 'refused', reason: { code: 'ca/rejected' } },
    })
  })

  it('gives up what a host proved when it leaves, once', async () => {
    const certificate = await issued()
    await renew(certificate)
    world.front.reset()
    await issuer.leave(certificate.hostname, never)
    expect(world.front.payloads('authorization')).toEqual([
      { status: 'deactivated' },
      { status: 'deactivated' },
    ])
    await issuer.leave(certificate.hostname, never)
    expect(world.front.requests).toHaveLength(2)
  })

  it('ends the open order of a host that leaves, and is content with what the CA forgot', async () => {
    const hostname = aHostname()
    const unavailable = { kind: 'problem', status: 500, type: 'serverInternal' } as const
    world.front.inject({ on: 'authorization', fault: unavailable })
    expect((await issuer.issue({ hostname }, never)).kind).toBe('refused')
    const gone = { kind: 'problem', status: 404, type: 'malformed' } as const
    world.front.inject({ on: 'authorization', fault: gone })
    await issuer.leave(hostname, never)
    expect((await issuer.describe()).openOrders).toEqual([])
    world.front.reset()
    await activated(await issuer.issue({ hostname }, never))
    expect(world.front.count('order-new')).toBe(1)
  })

  it('leaves the order alone with which a host comes back meanwhile', async () => {
    const { hostname } = await issued()
    const unavailable = { kind: 'problem', status: 500, type: 'serverInternal' } as const
    const comeBack = async () => {
      world.front.inject({ on: 'finalize', fault: unavailable })
      expect((await issuer.issue({ hostname }, never)).kind).toBe('refused')
    }
    const whileGone = { kind: 'notify', when: 'after', tell: comeBack } as const
    world.front.inject({ on: 'authorization', fault: whileGone })
    await issuer.leave(hostname, never)
    expect((await issuer.describe()).openOrders).toMatchObject([{ hostname }])
    const placed = world.front.count('order-new')
    expect((await issuer.issue({ hostname }, never)).kind).toBe('issued')
    expect(world.front.count('order-new')).toBe(placed)
  })

  it('throws when the CA cannot be asked to forget, and goes on where it was', async () => {
    const { hostname } = await issued()
    world.front.inject({ on: 'authorization', times: 2, fault: { kind: 'drop-before' } })
    await expect(issuer.leave(hostname, never)).rejects.toMatchObject({ code: 'acme/unreachable' })
    // It counts as away now.
    await expect(issuer.leave(hostname, never)).rejects.toMatchObject({ code: 'acme/unreachable' })
    await store.db.deleteFrom('acme_authorities').execute()
    world.front.reset()
    await issuer.leave(hostname, never)
    expect(world.front.payloads('authorization')).toEqual([{ status: 'deactivated' }])
  })

  it('forgets orders of long ago, but not the last that each host got a certificate by', async () => {
    const first = await issued()
    const second = await activated(await renew(first))
    const old = milliseconds(-days(91))
    const longAgo = after(new Date(), old).getTime()
    await store.db.updateTable('acme_orders').set({ updated_at: longAgo }).execute()
    await issuer.sweep()
    const query = store.db.selectFrom('acme_orders').select('id')
    const kept = await query.where('hostname', '=', first.hostname).execute()
    expect(kept).toEqual([{ id: second.id }])
    world.front.reset()
    await activated(await renew(second))
    expect(orders()).toMatchObject([named])
  })
})
