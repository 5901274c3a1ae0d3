import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { minutes } from '../../../src/kernel/index.ts'
import type { Store } from '../../../src/store/index.ts'
import { type AcmeWorld, aHostname, anIssuer, startAcmeWorld } from '../../support/acme-world.ts'
import type { FaultRule } from '../../support/fault-front.ts'
import { aMovableClock } from '../../support/movable-clock.ts'
import { pebbleIsMissing, pebbleLabel } from '../../support/pebble.ts'
import { openSqliteTestStore } from '../../support/stores.ts'

const never = new AbortController().signal

describe.skipIf(pebbleIsMissing)(`a CA that wants to be left alone ${pebbleLabel}`, () => {
  let world: AcmeWorld
  let store: Store

  beforeAll(async () => {
    world = await startAcmeWorld()
    store = await openSqliteTestStore()
  })
  afterAll(async () => {
    await store[Symbol.asyncDispose]()
    await world[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    world.front.reset()
    for (const table of ['acme_authorities', 'acme_ledger'] as const) {
      await store.db.deleteFrom(table).execute()
    }
  })

  const busy = { kind: 'html', status: 503, retryAfter: '120' } as const
  const limited = { kind: 'problem', status: 429, type: 'rateLimited', retryAfter: '120' } as const
  const HOLDING: readonly (readonly [string, FaultRule])[] = [
    ['is busy amid an order', { on: 'authorization', fault: busy }],
    ['limits the directory', { on: 'directory', fault: limited }],
    ['limits nonces', { on: 'nonce', fault: limited }],
    ['does not answer twice', { on: 'directory', times: 2, fault: { kind: 'drop-before' } }],
  ]
  it.each(HOLDING)('%s: others are told so without a question, until then', async (_name, rule) => {
    const clock = aMovableClock()
    await using issuer = anIssuer(world, store, { clock })
    world.front.inject(rule)
    const first = await issuer.issue({ hostname: aHostname() }, never)
    if (first.kind !== 'refused') throw new Error('was issued')
    const asked = world.front.requests.length
    const other = aHostname()
    const held = await issuer.issue({ hostname: other }, never)
    expect(held).toMatchObject({ kind: 'refused', reason: first.reason })
    expect(held).toHaveProperty('retryAt', expect.any(Date))
    expect(world.front.requests).toHaveLength(asked)
    clock.move(minutes(2))
    expect((await issuer.issue({ hostname: other }, never)).kind).toBe('issued')
  })

  it('holds back those in the queue as well', async () => {
    await using issuer = anIssuer(world, store, { options: { concurrency: 1 } })
    world.front.inject({ on: 'order-new', fault: busy })
    const hosts = Array.from({ length: 5 }, () => aHostname())
    const outcomes = await Promise.all(hosts.map((hostname) => issuer.issue({ hostname }, never)))
    expect(outcomes.map(({ kind }) => kind)).toEqual(hosts.map(() => 'refused'))
    expect(world.front.count('order-new')).toBe(1)
  })

  it('limits one name: the others go on', async () => {
    await using issuer = anIssuer(world, store)
    world.front.inject({ on: 'order-new', fault: limited })
    const refused = await issuer.issue({ hostname: aHostname() }, never)
    expect(refused).toMatchObject({ kind: 'refused', reason: { code: 'ca/rate-limited' } })
    expect((await issuer.issue({ hostname: aHostname() }, never)).kind).toBe('issued')
  })
})
