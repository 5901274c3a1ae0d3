import { expect, it } from 'vitest'
import { createHostTable, type HostTable, moveHost } from '../../../src/hosts/index.ts'
import { type Hostname, hours, minutes, parseHostname, seconds } from '../../../src/kernel/index.ts'
import type { Store } from '../../../src/store/index.ts'
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { aCertificateRow } from '../../support/store-rows.ts'
import { describeEachStore } from '../../support/stores.ts'

const name = (text: string) => parseHostname(text) as Hostname
const HOST = name('email.customer.test')
const CEASED = { code: 'certificate/revoked', sentence: 'Over.', fix: 'Renew it.' } as const
const leaseFor = seconds(30)
const onUnreadable = ({ error }: { readonly error: unknown }) => {
  throw error
}

const later = (clock: FakeClock, days: number) =>
  new Date(clock.now().getTime() + days * 86_400_000)

describeEachStore((openTestStore) => {
  const open = async (): Promise<{ store: Store; clock: FakeClock; hosts: HostTable }> => {
    const store = await openTestStore()
    const clock = createFakeClock()
    return { store, clock, hosts: createHostTable({ store, clock, random: createSeededRandom() }) }
  }
  /** Another node on the same database. */
  const another = (store: Store, clock: FakeClock) =>
    createHostTable({ store, clock, random: createSeededRandom('another') })

  it('adds a host once, and finds it', async () => {
    const { hosts } = await open()
    const { host, created } = await hosts.add(HOST, 'customer.test')
    expect(created).toBe(true)
    expect(await hosts.find(HOST)).toEqual(host)
    expect(await hosts.add(HOST, 'other.test')).toEqual({ host, created: false })
    expect(await hosts.find(name('email.stranger.test'))).toBeUndefined()
    expect((await hosts.history(HOST)).map(({ step }) => step)).toEqual(['add'])
  })

  it('lets one of many who add the same host at once create it', async () => {
    const { hosts } = await open()
    const added = await Promise.all([1, 2, 3, 4, 5].map(() => hosts.add(HOST, 'customer.test')))
    expect(added.filter(({ created }) => created)).toHaveLength(1)
  })

  it('starts a retired host anew', async () => {
    const { hosts, clock } = await open()
    await hosts.add(HOST, 'customer.test')
    expect(await hosts.retire(HOST)).toMatchObject({ state: 'retired', nextAttemptAt: undefined })
    expect(await hosts.retire(HOST)).toMatchObject({ state: 'retired' })
    await clock.advance(1000)
    const { host, created } = await hosts.add(HOST, 'other.test')
    expect(created).toBe(true)
    expect(host).toMatchObject({ state: 'waiting-for-dns', domain: 'other.test' })
    expect(await hosts.find(HOST)).toEqual(host)
    expect((await hosts.history(HOST)).map(({ step }) => step)).toEqual(['add', 'retire', 'add'])
  })

  it('ends a host once, however many ask for it at the same time', async () => {
    const { hosts } = await open()
    await hosts.add(HOST, 'customer.test')
    const ended = await Promise.all([1, 2, 3].map(() => hosts.retire(HOST)))
    expect(ended.map(({ state }) => state)).toEqual(['retired', 'retired', 'retired'])
    expect((await hosts.history(HOST)).map(({ step }) => step)).toEqual(['add', 'retire'])
  })

  it('destroys the keys of ended lives only', async () => {
    const { store, hosts, clock } = await open()
    await hosts.add(HOST, 'customer.test')
    await store.db.insertInto('certificates').values(aCertificateRow()).execute()
    const currents = async () =>
      (await store.db.selectFrom('certificates').selectAll().orderBy('id').execute()).map(
        (row) => [row.is_current, row.sealed_key.length] as const,
      )
    expect(await hosts.destroyRetiredKeys(HOST)).toBe(0)
    await hosts.retire(HOST)
    expect(await hosts.retiredWithKeys(clock.now(), onUnreadable)).toEqual([HOST])
    expect(await hosts.retiredWithKeys(new Date(clock.now().getTime() + 1), onUnreadable)).toEqual(
      [],
    )
    // Nobody got to destroying them before it came back.
    await hosts.add(HOST, 'customer.test')
    expect(await currents()).toEqual([[0, 0]])
    await store.db
      .insertInto('certificates')
      .values(aCertificateRow({ id: 'certificate-2' }))
      .execute()
    await store.db
      .insertInto('acme_orders')
      .values({
        ...{ id: 'order-1', account_id: 'one', hostname: HOST, state: 'placed', url: null },
        ...{ sealed_key: Buffer.from('key'), certificate_id: null, problem: null },
        ...{ created_at: 1, updated_at: 1 },
      })
      .execute()
    const order = () =>
      store.db.selectFrom('acme_orders').select(['state', 'sealed_key']).executeTakeFirstOrThrow()
    expect(await hosts.destroyRetiredKeys(HOST)).toBe(0)
    expect(await order()).toMatchObject({ state: 'placed', sealed_key: Buffer.from('key') })
    await hosts.retire(HOST)
    expect(await hosts.destroyRetiredKeys(HOST)).toBe(1)
    expect(await order()).toMatchObject({ state: 'failed', sealed_key: Buffer.alloc(0) })
    expect(await currents()).toEqual([
      [0, 0],
      [0, 0],
    ])
  })

  it('knows no host that was never added', async () => {
    const { hosts } = await open()
    const missing = { code: 'hosts/not-found' }
    await expect(hosts.retire(HOST)).rejects.toMatchObject(missing)
    await expect(hosts.ask(HOST, { kind: 'check-asked' })).rejects.toMatchObject(missing)
    await hosts.add(HOST, 'customer.test')
    await hosts.retire(HOST)
    await expect(hosts.ask(HOST, { kind: 'renewal-asked' })).rejects.toMatchObject(missing)
  })

  it('leases what is due, the longest due first, to one only, until the lease runs out', async () => {
    const { store, hosts, clock } = await open()
    await hosts.add(HOST, 'customer.test')
    await clock.advance(10)
    await hosts.add(name('email.second.test'), 'second.test')
    const [first, second, ...rest] = await hosts.claimDue({
      holder: 'a',
      leaseFor,
      limit: 10,
      onUnreadable,
    })
    expect([first?.host.hostname, second?.host.hostname]).toEqual([HOST, 'email.second.test'])
    expect(rest).toEqual([])
    const other = another(store, clock)
    expect(await other.claimDue({ holder: 'b', leaseFor, limit: 10, onUnreadable })).toEqual([])
    expect(await other.claim(HOST, { holder: 'b', leaseFor })).toBeUndefined()
    await clock.advance(leaseFor)
    expect(await other.claimDue({ holder: 'b', leaseFor, limit: 1, onUnreadable })).toHaveLength(1)
  })

  it('shares the due hosts between two who look at the same moment', async () => {
    const { store, hosts, clock } = await open()
    for (let index = 0; index < 40; index += 1) {
      await hosts.add(name(`email.customer-${index}.test`), 'customer.test')
    }
    const other = another(store, clock)
    const shares = await Promise.all([
      hosts.claimDue({ holder: 'a', leaseFor, limit: 20, onUnreadable }),
      other.claimDue({ holder: 'b', leaseFor, limit: 20, onUnreadable }),
      hosts.claimDue({ holder: 'a', leaseFor, limit: 20, onUnreadable }),
    ])
    const leased = shares.flat().map(({ host }) => host.hostname)
    expect(new Set(leased).size).toBe(leased.length)
    const left = await hosts.claimDue({ holder: 'a', leaseFor, limit: 100, onUnreadable })
    expect(leased.length + left.length).toBe(40)
  })

  it('does not promise https again by a save that knew of the promise from before', async () => {
    const { store, hosts, clock } = await open()
    const { host } = await hosts.add(HOST, 'customer.test')
    await store.db.updateTable('hosts').set({ https_safe: 1 }).execute()
    const claimed = await hosts.claim(HOST, { holder: 'a', leaseFor })
    if (!claimed) throw new Error('not leased')
    expect(claimed.host.httpsSafe).toBe(true)
    expect(await hosts.endHttps(HOST, { step: 'https', outcome: 'done', sentence: 'x' })).toBe(true)
    const saving = { history: [], lease: 'keep' } as const
    await hosts.save(claimed, claimed.host, saving)
    expect(await hosts.find(HOST)).toMatchObject({ httpsSafe: false })
    const life = {
      notBefore: host.createdAt,
      notAfter: later(clock, 90),
      renewAt: later(clock, 60),
    }
    const context = { now: clock.now(), random: createSeededRandom() }
    const served = moveHost(claimed.host, { kind: 'served', life }, context)
    await hosts.save(claimed, served, { ...saving, https: 'promised' })
    expect(await hosts.find(HOST)).toMatchObject({ httpsSafe: true })
  })

  it('sets a row aside that cannot be read, and leases the others', async () => {
    const { store, hosts, clock } = await open()
    const [broken, newer] = [name('email.broken.test'), name('email.newer.test')]
    for (const hostname of [broken, newer, HOST]) await hosts.add(hostname, 'customer.test')
    const change = (hostname: string, columns: object) =>
      store.db.updateTable('hosts').set(columns).where('hostname', '=', hostname).execute()
    await change(broken, { checks: '{torn' })
    await change(newer, { reason_code: 'ca/asks-for-more', reason_sentence: 'More.' })
    const unreadable: string[] = []
    const claim = {
      ...{ holder: 'a', leaseFor, limit: 10 },
      onUnreadable: (row: { readonly hostname: string }) => void unreadable.push(row.hostname),
    }
    const claimed = (await hosts.claimDue(claim)).map(({ host }) => host)
    expect(claimed.map(({ hostname }) => hostname).toSorted()).toEqual([HOST, newer].toSorted())
    expect(unreadable).toEqual([broken])
    expect(await hosts.find(newer)).toMatchObject({ reason: { code: 'ca/asks-for-more' } })
    await clock.advance(hours(23))
    await hosts.claimDue(claim)
    expect(unreadable).toEqual([broken])
    await clock.advance(hours(1))
    await hosts.claimDue(claim)
    expect(unreadable).toEqual([broken, broken])
  })

  it('saves a host with what happened, in one write, for the holder of the lease only', async () => {
    const { store, hosts, clock } = await open()
    await hosts.add(HOST, 'customer.test')
    const [slow] = await hosts.claimDue({ holder: 'a', leaseFor, limit: 1, onUnreadable })
    await clock.advance(leaseFor)
    const [quick] = await another(store, clock).claimDue({
      holder: 'b',
      leaseFor,
      limit: 1,
      onUnreadable,
    })
    if (!slow || !quick) throw new Error('not leased')
    const context = { now: clock.now(), random: createSeededRandom() }
    const moved = moveHost(quick.host, { kind: 'ready', checks: CHECKS }, context)
    const history = [
      { step: 'look', outcome: 'done', sentence: 'one' },
      { step: 'issue', outcome: 'refused', code: 'ca/rejected', sentence: 'two' },
    ] as const
    expect(await hosts.save(slow, moved, { history, lease: 'release' })).toBe(false)
    expect(await hosts.history(HOST)).toHaveLength(1)
    expect(await hosts.save(quick, moved, { history, lease: 'keep' })).toBe(true)
    expect(await hosts.find(HOST)).toEqual(moved)
    expect(await hosts.history(HOST)).toMatchObject([{ step: 'add' }, ...history])
    expect(await hosts.claim(HOST, { holder: 'c', leaseFor })).toBeUndefined()
    await hosts.release(slow)
    expect(await hosts.claim(HOST, { holder: 'c', leaseFor })).toBeUndefined()
    await hosts.release(quick)
    expect(await hosts.claim(HOST, { holder: 'c', leaseFor })).toMatchObject({
      host: { state: 'issuing', nextAttemptAt: clock.now() },
    })
  })

  it('does not forget that somebody made a host due while it was worked on', async () => {
    const { hosts, clock } = await open()
    await hosts.add(HOST, 'customer.test')
    const [claimed] = await hosts.claimDue({ holder: 'a', leaseFor, limit: 1, onUnreadable })
    if (!claimed) throw new Error('not leased')
    await clock.advance(5)
    await hosts.ask(HOST, { kind: 'renewal-asked' })
    const askedAt = clock.now()
    await clock.advance(5)
    const served = moveHost(
      claimed.host,
      { kind: 'served', life: LIFE },
      {
        now: clock.now(),
        random: createSeededRandom(),
      },
    )
    await hosts.save(claimed, served, { history: [], lease: 'release' })
    expect(await hosts.find(HOST)).toMatchObject({
      ...{ state: 'active', nextAttemptAt: askedAt, renewalAskedAt: askedAt },
    })
  })

  it('does not call a name over again whose renewal was asked for while it was looked at', async () => {
    const { hosts, clock } = await open()
    await hosts.add(HOST, 'customer.test')
    await hosts.cease(HOST, CEASED)
    const claimed = await hosts.claim(HOST, { holder: 'a', leaseFor })
    if (!claimed) throw new Error('not leased')
    expect(claimed.host.ceasedAt).toBeDefined()
    await clock.advance(5)
    await hosts.ask(HOST, { kind: 'renewal-asked' })
    const lacking = moveHost(
      claimed.host,
      { kind: 'lacking', reason: CEASED, checks: [] },
      { now: clock.now(), random: createSeededRandom() },
    )
    await hosts.save(claimed, lacking, { history: [], lease: 'release' })
    expect(await hosts.find(HOST)).toMatchObject({
      ...{ ceasedAt: undefined, renewalAskedAt: clock.now(), nextAttemptAt: clock.now() },
    })
  })

  it('takes a retired host out of the hands of whoever works on it', async () => {
    const { hosts } = await open()
    await hosts.add(HOST, 'customer.test')
    const [claimed] = await hosts.claimDue({ holder: 'a', leaseFor, limit: 1, onUnreadable })
    if (!claimed) throw new Error('not leased')
    await hosts.retire(HOST)
    expect(await hosts.save(claimed, claimed.host, { history: [], lease: 'release' })).toBe(false)
    expect(await hosts.renewLeases([claimed], leaseFor)).toEqual([claimed])
    expect(await hosts.claim(HOST, { holder: 'b', leaseFor })).toBeUndefined()
  })

  it('keeps leases that are renewed', async () => {
    const { hosts, clock } = await open()
    await hosts.add(HOST, 'customer.test')
    const claimed = await hosts.claimDue({ holder: 'a', leaseFor, limit: 1, onUnreadable })
    await clock.advance(20_000)
    expect(await hosts.renewLeases(claimed, leaseFor)).toEqual([])
    await clock.advance(20_000)
    expect(await hosts.claimDue({ holder: 'b', leaseFor, limit: 1, onUnreadable })).toEqual([])
  })

  it('breaks the leases of a dead server where only one can be', async () => {
    const { store, hosts } = await open()
    await hosts.add(HOST, 'customer.test')
    const [dead] = await hosts.claimDue({ holder: 'dead', leaseFor, limit: 1, onUnreadable })
    await hosts.recoverLeases()
    const again = await hosts.claimDue({ holder: 'new', leaseFor, limit: 1, onUnreadable })
    expect(again).toHaveLength(store.engine === 'sqlite' ? 1 : 0)
    if (!dead || store.engine === 'postgres') return
    expect(await hosts.save(dead, dead.host, { history: [], lease: 'release' })).toBe(false)
  })

  it('pages through hosts by state and by a part of the name', async () => {
    const { hosts } = await open()
    for (const one of ['a.one.test', 'b.one.test', 'c.two.test', 'd-100.two.test', 'e.one.test']) {
      await hosts.add(name(one), 'x.test')
    }
    await hosts.retire(name('e.one.test'))
    const namesOf = (page: { hosts: readonly { hostname: string }[] }) =>
      page.hosts.map(({ hostname }) => hostname)
    const first = await hosts.page({ limit: 2 })
    expect(namesOf(first)).toEqual(['a.one.test', 'b.one.test'])
    const second = await hosts.page({ limit: 2, cursor: first.nextCursor })
    expect(namesOf(second)).toEqual(['c.two.test', 'd-100.two.test'])
    const third = await hosts.page({ limit: 2, cursor: second.nextCursor })
    expect([namesOf(third), third.nextCursor]).toEqual([['e.one.test'], undefined])
    expect(namesOf(await hosts.page({ limit: 10, q: 'ONE' }))).toHaveLength(3)
    expect(namesOf(await hosts.page({ limit: 10, q: 'one', state: 'retired' }))).toEqual([
      'e.one.test',
    ])
    await hosts.add(name('f.one.test'), 'x.test', 'other')
    expect(namesOf(await hosts.page({ limit: 10, account: 'other' }))).toEqual(['f.one.test'])
    await hosts.retire(name('f.one.test'))
    expect(namesOf(await hosts.page({ limit: 10, q: '%' }))).toEqual([])
    expect(namesOf(await hosts.page({ limit: 10, q: '_' }))).toEqual([])
    expect(await hosts.countByState()).toEqual({
      ...{ 'waiting-for-dns': 4, issuing: 0, active: 0, failing: 0, paused: 0, retired: 2 },
    })
  })

  it('finds the hosts that promise https with a certificate that ends, and stops that once', async () => {
    const { store, hosts, clock } = await open()
    const soon = clock.now().getTime() + minutes(30)
    for (const [index, ends] of [soon, soon, soon + minutes(600)].entries()) {
      const hostname = name(`email.customer-${index}.test`)
      await hosts.add(hostname, 'customer.test')
      const row = aCertificateRow({ id: `${index}`, hostname, not_after: ends })
      await store.db.insertInto('certificates').values(row).execute()
      if (index === 0) continue
      await store.db
        .updateTable('hosts')
        .set({ https_safe: 1 })
        .where('hostname', '=', hostname)
        .execute()
    }
    const span = { from: new Date(0), before: new Date(soon + minutes(10)), limit: 10 }
    const ending = await hosts.ending(span, onUnreadable)
    expect(ending.hosts).toMatchObject([
      { hostname: 'email.customer-1.test', notAfter: new Date(soon) },
    ])
    const draft = { step: 'https', outcome: 'done', sentence: 'Over.' } as const
    expect(await hosts.endHttps(name('email.customer-1.test'), draft)).toBe(true)
    expect(await hosts.endHttps(name('email.customer-1.test'), draft)).toBe(false)
    expect((await hosts.ending(span, onUnreadable)).hosts).toEqual([])
  })

  it('wakes the hosts that wait for a reason which is gone', async () => {
    const { hosts, clock } = await open()
    await hosts.add(HOST, 'customer.test')
    const [claimed] = await hosts.claimDue({ holder: 'a', leaseFor, limit: 1, onUnreadable })
    if (!claimed) throw new Error('not leased')
    const reason = { code: 'term/not-agreed', sentence: 'Not agreed.', fix: 'Agree.' } as const
    const event = { kind: 'not-ready', reason, checks: CHECKS, life: undefined } as const
    const waiting = moveHost(claimed.host, event, {
      now: clock.now(),
      random: createSeededRandom(),
    })
    await hosts.save(claimed, waiting, { history: [], lease: 'release' })
    expect(await hosts.claimDue({ holder: 'a', leaseFor, limit: 1, onUnreadable })).toEqual([])
    await hosts.wakeWaiting('term/not-agreed')
    expect(await hosts.claimDue({ holder: 'a', leaseFor, limit: 1, onUnreadable })).toMatchObject([
      { host: { reason, checks: CHECKS } },
    ])
  })
})

const CHECKS = [{ name: 'cname', ok: true, seen: 'CNAME edge.test', expected: 'CNAME edge.test' }]
const LIFE = {
  notBefore: new Date('2026-11-01T00:00:00Z'),
  notAfter: new Date('2027-02-01T00:00:00Z'),
  renewAt: new Date('2027-01-01T00:00:00Z'),
}
