import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { IssueOutcome } from '../../../src/acme/index.ts'
import { type Hostname, parseHostname, systemClock } from '../../../src/kernel/index.ts'
import type { Store } from '../../../src/store/index.ts'
import {
  type AcmeRecord,
  createAcmeRecord,
  createMetrics,
  openLog,
} from '../../../src/telemetry/index.ts'
import {
  type AcmeWorld,
  aHostname,
  anIssuer,
  startAcmeWorld,
  type TestIssuer,
} from '../../support/acme-world.ts'
import { LETS_ENCRYPT_LIMITS } from '../../support/fault-front/front-limits.ts'
import { ROGUES } from '../../support/fault-front/rogues.ts'
import { pebbleIsMissing, pebbleLabel } from '../../support/pebble.ts'
import { openSqliteTestStore } from '../../support/stores.ts'

const never = new AbortController().signal

/** A record that keeps the rate limits that should have been foreseen. */
function aRecord() {
  const log = openLog({ level: 'silent', pretty: false })
  const record: AcmeRecord = createAcmeRecord({ log, metrics: createMetrics() })
  const unforeseen: Parameters<AcmeRecord['unforeseenRateLimit']>[0][] = []
  const unforeseenRateLimit: AcmeRecord['unforeseenRateLimit'] = (one) => void unforeseen.push(one)
  return { unforeseen, record: { ...record, unforeseenRateLimit } }
}

describe.skipIf(pebbleIsMissing)(`a CA with limits ${pebbleLabel}`, () => {
  let world: AcmeWorld
  let store: Store
  const opened: TestIssuer[] = []

  beforeAll(async () => {
    world = await startAcmeWorld()
  })
  beforeEach(async () => {
    world.front.reset()
    world.front.ca.enforce(undefined)
    store = await openSqliteTestStore()
    return async () => {
      for (const issuer of opened.splice(0)) await issuer[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
    }
  })
  afterAll(() => world[Symbol.asyncDispose]())

  const open = (limits: readonly string[] = [], record = aRecord().record): TestIssuer => {
    const own = limits.map((limit) => `${world.front.directoryUrl}.${limit}`).join(',')
    const issuer = anIssuer(world, store, { options: { limits: own }, record })
    opened.push(issuer)
    return issuer
  }
  /** As the loop above the issuer does it: whoever is queued or told to wait comes again. */
  const untilIssued = async (issuer: TestIssuer, hostname: Hostname): Promise<number> => {
    for (let attempts = 1; ; attempts += 1) {
      const outcome = await issuer.issue({ hostname }, never)
      if (outcome.kind === 'issued') return attempts
      const retryAt = outcome.kind === 'refused' ? outcome.retryAt : undefined
      const waitMs = retryAt ? retryAt.getTime() - Date.now() : 250
      await systemClock.sleep(Math.max(50, waitMs))
    }
  }
  const hosts = (count: number) => Array.from({ length: count }, () => aHostname())
  const reasonOf = (outcome: IssueOutcome) =>
    outcome.kind === 'issued' ? undefined : outcome.reason.code

  it('of ten orders that come back one a second: forty hosts, and not one 429', async () => {
    world.front.ca.enforce({ ordersPerAccount: { capacity: 10, perMs: 10_000 } })
    const issuer = open(['orders-per-account=10/10s'])
    await Promise.all(hosts(40).map((hostname) => untilIssued(issuer, hostname)))
    expect(world.front.ca.refusals).toEqual([])
    expect(world.front.count('order-new')).toBe(40)
  }, 120_000)

  it('that are lower than we believe: obeyed to the second, and reported', async () => {
    world.front.ca.enforce({ ordersPerAccount: { capacity: 4, perMs: 24_000 } })
    const { record, unforeseen } = aRecord()
    const issuer = open([], record)
    const first = await Promise.all(hosts(12).map((hostname) => issuer.issue({ hostname }, never)))
    expect(first.filter(({ kind }) => kind === 'issued')).toHaveLength(4)
    // Three names have to be told before it is sure that all are meant.
    const told = world.front.ca.refusals.length
    expect(told).toBeGreaterThanOrEqual(3)
    expect(unforeseen).toHaveLength(told)
    expect(unforeseen.at(-1)).toMatchObject({ scope: 'account' })

    const asked = world.front.count('order-new')
    const until = Math.max(...world.front.ca.refusals.map(({ retryAt }) => retryAt?.getTime() ?? 0))
    const other = aHostname()
    while (Date.now() < until) {
      expect((await issuer.issue({ hostname: other }, never)).kind).toBe('queued')
      await systemClock.sleep(Math.min(200, Math.max(1, until - Date.now())))
    }
    expect(world.front.count('order-new')).toBe(asked)
    expect(await issuer.room('first')).toBeLessThanOrEqual(1_000)
    await untilIssued(issuer, other)
    expect(world.front.ca.refusals).toHaveLength(told)
  }, 120_000)

  it('like Let’s Encrypt’s: a name that had four certificates waits without asking', async () => {
    world.front.ca.enforce(LETS_ENCRYPT_LIMITS)
    const issuer = open([
      ...['orders-per-account=300/3h', 'certificates-per-domain=50/7d'],
      ...['certificates-per-name=5/7d', 'failures-per-name=5/1h'],
    ])
    const [hostname = aHostname()] = hosts(1)
    for (let times = 0; times < 4; times += 1) {
      const outcome = await issuer.issue({ hostname }, never)
      if (outcome.kind !== 'issued') throw new Error(outcome.reason.sentence)
      await issuer.certs.activate(outcome.certificate.id)
    }
    const asked = world.front.count('order-new')
    const outcome = await issuer.issue({ hostname }, never)
    expect([outcome.kind, reasonOf(outcome)]).toEqual(['refused', 'ca/rate-limited'])
    expect(world.front.count('order-new')).toBe(asked)
    expect((await issuer.issue({ hostname: aHostname() }, never)).kind).toBe('issued')
    expect(world.front.ca.refusals).toEqual([])
  })

  it('on failures: a broken host is left alone before the CA has to say so', async () => {
    world.front.ca.enforce(LETS_ENCRYPT_LIMITS)
    const issuer = open(['failures-per-name=5/1h', 'failures-in-a-row=1152/1152d'])
    const hostname = aHostname()
    await world.dns.addA(hostname, ['127.0.0.77'])
    for (let times = 0; times < 8; times += 1) await issuer.issue({ hostname }, never)
    const outcome = await issuer.issue({ hostname }, never)
    expect(reasonOf(outcome)).toBe('ca/rate-limited')
    expect(world.front.count('order-new')).toBe(4)
    expect(world.front.ca.refusals).toEqual([])
  })

  it('and a pause: shown with its link, and not asked again', async () => {
    const issuer = open(['failures-in-a-row=1152/1152d'])
    const hostname = aHostname()
    world.front.ca.pause(hostname)
    const outcome = await issuer.issue({ hostname }, never)
    expect(outcome).toMatchObject({
      kind: 'refused',
      reason: { code: 'ca/paused', fix: expect.stringContaining('https://portal.ca.test/') },
    })
    const asked = world.front.count('order-new')
    expect(reasonOf(await issuer.issue({ hostname }, never))).toBe('ca/paused')
    expect(world.front.count('order-new')).toBe(asked)
    expect(world.front.ca.tooMany).toBe(1)
    const [authority] = (await issuer.describe()).authorities
    expect(authority?.pausedNames).toMatchObject([
      { hostname, unpauseUrl: expect.stringContaining('https://portal.ca.test/') },
    ])
  })

  it('that it does not name a time for: waited for some minutes, and reported, not a pause', async () => {
    const { record, unforeseen } = aRecord()
    const issuer = open([], record)
    const hostname = aHostname()
    const limit = { kind: 'problem', status: 429, type: 'rateLimited' } as const
    world.front.inject({ on: 'order-new', fault: limit })
    const before = Date.now()
    const outcome = await issuer.issue({ hostname }, never)
    expect(outcome).toMatchObject({ kind: 'refused', reason: { code: 'ca/rate-limited' } })
    const admission = await issuer.admit({ hostname })
    if (admission.kind !== 'wait') throw new Error(admission.kind)
    const waitMs = admission.until.getTime() - before
    expect(waitMs).toBeGreaterThan(60_000)
    expect(waitMs).toBeLessThan(600_000)
    expect(outcome).toHaveProperty('retryAt', expect.any(Date))
    expect(unforeseen).toMatchObject([{ hostname, scope: 'name', retryAt: admission.until }])
    expect(await issuer.issue({ hostname }, never)).toMatchObject({ kind: 'refused' })
    expect(world.front.count('order-new')).toBe(1)
    expect((await issuer.describe()).authorities[0]?.pausedNames).toEqual([])
  })

  it('that hands out the same order again: finished with the key it was meant for', async () => {
    world.front.ca.reuseOrders('on')
    const issuer = open()
    const hostname = aHostname()
    // Like Boulder, which keeps no list in which an order could be found again.
    const noList = { kind: 'replace', body: () => '{"orders":[]}' } as const
    world.front.inject({ on: 'orders-list', fault: noList })
    world.front.inject({ on: 'order-new', fault: { kind: 'drop-after' } })
    const outcome = await issuer.issue({ hostname }, never)
    world.front.ca.reuseOrders('off')
    expect(outcome.kind).toBe('issued')
    expect(world.front.count('order-new')).toBe(2)
    const orders = store.db.selectFrom('acme_orders').select('url').where('hostname', '=', hostname)
    expect(await orders.execute()).toHaveLength(1)
  })

  it('on requests: two hundred of them at once are never too many', async () => {
    world.front.ca.enforce({
      newNonces: { capacity: 10, perMs: 500 },
      requests: { capacity: 20, perMs: 500 },
    })
    const issuer = open(['new-nonce-requests=10/500ms', 'other-requests=20/500ms'])
    await Promise.all(hosts(25).map((hostname) => untilIssued(issuer, hostname)))
    expect(world.front.ca.refusals).toEqual([])
  }, 120_000)

  describe('gone mad', () => {
    it.each(ROGUES)('sends %s: it is not kept, and the next one is', async (rogue) => {
      const issuer = open()
      const hostname = parseHostname(`email.${rogue}.test`)
      if (!hostname) throw new Error('no name')
      world.front.sendRogues(rogue)
      const outcome = await issuer.issue({ hostname }, never)
      expect(outcome).toMatchObject({ kind: 'refused', reason: { code: 'ca/unavailable' } })
      const held = store.db.selectFrom('certificates').select('id').where('hostname', '=', hostname)
      expect(await held.execute()).toEqual([])
      expect((await issuer.issue({ hostname }, never)).kind).toBe('issued')
    })
  })
})
