import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import {
  type Hostname,
  newId,
  parseWireHostname,
  systemClock,
  systemRandom,
} from '../../../src/kernel/index.ts'
import type { Store } from '../../../src/store/index.ts'
import { createMetrics, createTrackingRecord, openLog } from '../../../src/telemetry/index.ts'
import {
  createHitJournal,
  createHitMover,
  createHitRecorder,
  createLinkKeys,
  createTrackingBackend,
  type DeliverHits,
  type HitPage,
  type HitWishes,
  hitToRow,
  readHits,
  signLink,
} from '../../../src/tracking/index.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { describeEachStore } from '../../support/stores.ts'
import { aVault } from '../../support/vaults.ts'

const HOST = host('email.customer.test')

function host(text: string): Hostname {
  const hostname = parseWireHostname(text)
  if (!hostname) throw new TypeError(text)
  return hostname
}

function keysOf(store: Store, clock = systemClock) {
  return createLinkKeys({ store, vault: aVault(), clock, random: systemRandom })
}

async function openTracking(store: Store) {
  const log = openLog({ level: 'silent', pretty: false })
  const record = createTrackingRecord({ log, metrics: createMetrics() })
  const keys = keysOf(store)
  await keys.ensure()
  const outside = { clock: systemClock, random: systemRandom, record }
  const place = { directory: await aFolder(), kind: 'hits' } as const
  const journal = createHitJournal(outside, place)
  onTestFinished(() => journal[Symbol.asyncDispose]())
  const hits = createHitRecorder({ ...outside, journal })
  const deliver: DeliverHits = async (some) => {
    await store.hot.appendHits(some.map(hitToRow))
    return some.length
  }
  const mover = createHitMover({ ...outside, deliver }, place)
  onTestFinished(() => mover[Symbol.asyncDispose]())
  const backend = createTrackingBackend({
    keys,
    hits,
    clock: systemClock,
    record,
  })
  const ask = (target: string, method = 'GET') =>
    backend.handle({
      ...{ method, hostname: HOST, target, address: '192.0.2.1', userAgent: 'Mail/1' },
      requestId: newId(outside),
    })
  const stored = async (request: HitWishes): Promise<HitPage> => {
    await mover.catchUp()
    return await readHits(store, request)
  }
  return { keys, ask, stored }
}

async function aFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'postern-hits-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

describeEachStore((openTestStore) => {
  it('redirects a click to its target, and the hit is in the store when one looks', async () => {
    const store = await openTestStore()
    const { keys, ask, stored } = await openTracking(store)
    const target = 'https://shop.test/?a=1#b'
    const path = signLink(
      { hostname: HOST, kind: 'click', target, reference: 'm1' },
      keys.current(),
    )
    const answer = await ask(`${path}?fbclid=added`)
    expect(answer.status).toBe(302)
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      location: target,
      'referrer-policy': 'no-referrer',
      'cache-control': expect.stringContaining('no-store'),
    })
    const { items } = await stored({ limit: 10 })
    expect(items).toMatchObject([
      {
        kind: 'click',
        hostname: HOST,
        reference: 'm1',
        target,
        address: '192.0.2.1',
        userAgent: 'Mail/1',
      },
    ])
  })

  it('answers an open with one transparent pixel of 43 bytes', async () => {
    const store = await openTestStore()
    const { keys, ask, stored } = await openTracking(store)
    const path = signLink({ hostname: HOST, kind: 'open', reference: 'm2' }, keys.current())
    const answer = await ask(path)
    expect(answer.status).toBe(200)
    expect(answer.body).toHaveLength(43)
    expect(answer.body.toString('latin1', 0, 6)).toBe('GIF89a')
    expect(Object.fromEntries(answer.headers)).toMatchObject({ 'content-type': 'image/gif' })
    expect((await stored({ limit: 10 })).items).toMatchObject([{ kind: 'open', target: null }])
  })

  it('answers HEAD alike and counts nothing', async () => {
    const store = await openTestStore()
    const { keys, ask, stored } = await openTracking(store)
    const path = signLink({ hostname: HOST, kind: 'open', reference: '' }, keys.current())
    expect((await ask(path, 'HEAD')).status).toBe(200)
    expect((await ask(path, 'POST')).status).toBe(405)
    expect((await stored({ limit: 10 })).items).toEqual([])
  })

  it('knows nothing else, and never redirects there', async () => {
    const store = await openTestStore()
    const { keys, ask, stored } = await openTracking(store)
    const path = signLink(
      {
        hostname: host('email.other.test'),
        kind: 'click',
        target: 'https://a.test/',
        reference: '',
      },
      keys.current(),
    )
    for (const odd of [path, '/', '/c/x', '//evil.test/', `${path}x`]) {
      const answer = await ask(odd)
      expect(answer.status).toBe(404)
      expect(answer.headers.map(([name]) => name)).not.toContain('location')
    }
    expect((await stored({ limit: 10 })).items).toEqual([])
  })

  it('stores many hits that come at once, each exactly once', async () => {
    const store = await openTestStore()
    const { keys, ask, stored } = await openTracking(store)
    const path = signLink({ hostname: HOST, kind: 'open', reference: 'x' }, keys.current())
    await Promise.all(Array.from({ length: 700 }, () => ask(path)))
    const first = await stored({ hostname: HOST, limit: 500 })
    const rest = await stored({ hostname: HOST, limit: 500, cursor: first.nextCursor })
    expect([first.items.length, rest.items.length]).toEqual([500, 200])
    expect(new Set([...first.items, ...rest.items].map(({ id }) => id)).size).toBe(700)
    expect(rest.nextCursor).toBeUndefined()
  })

  it('makes one key, and two servers that start together understand each other', async () => {
    const store = await openTestStore()
    const [one, other] = [keysOf(store), keysOf(store)]
    expect(() => one.current()).toThrow(expect.objectContaining({ code: 'tracking/no-key' }))
    await Promise.all([one.ensure(), other.ensure()])
    await Promise.all([one.reload(), other.reload()])
    expect(one.current().id).toBe(other.current().id)
    await one.ensure()
    expect(one.all().size).toBe(other.all().size)
  })

  it('signs with the newest key, and opens with retired ones', async () => {
    const store = await openTestStore()
    const clock = createFakeClock()
    const keys = keysOf(store, clock)
    await keys.ensure()
    const retired = keys.current().id
    await store.db.updateTable('link_keys').set({ retired_at: 1 }).execute()
    await clock.advance(1000)
    await keys.ensure()
    expect(keys.current().id).not.toBe(retired)
    expect([...keys.all().keys()]).toContain(retired)
  })

  it('learns of a key made elsewhere when it meets one, but does not ask at every stranger', async () => {
    const store = await openTestStore()
    const clock = createFakeClock()
    const here = keysOf(store, clock)
    await here.reload()
    expect(await here.refresh()).toBe(false)
    await keysOf(store).ensure()
    await clock.advance(5000)
    expect(await here.refresh()).toBe(true)
    expect(here.all().size).toBe(1)
    expect(await here.refresh()).toBe(false)
  })

  it('does not read a key that was moved to another row', async () => {
    const store = await openTestStore()
    await keysOf(store).ensure()
    await store.db.updateTable('link_keys').set({ id: 'AAAAAAAA' }).execute()
    await expect(keysOf(store).reload()).rejects.toMatchObject({ code: 'vault/cannot-open' })
  })
})
