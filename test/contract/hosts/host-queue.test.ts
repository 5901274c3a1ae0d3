import { expect, it } from 'vitest'
import type { ClaimedHost } from '../../../src/hosts/index.ts'
import { days, hours, seconds } from '../../../src/kernel/index.ts'
import { describeEachStore } from '../../support/stores.ts'
import {
  CLAIM,
  DAY,
  HOST,
  hold,
  LIMITED,
  mayGoOn,
  move,
  name,
  namesOf,
  openHosts,
  queueUp,
  serve,
  until,
} from './world.ts'

const someNames = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}.test`)

describeEachStore((openTestStore) => {
  it('leases the most urgent hosts first, and of those the longest due', async () => {
    const world = await openHosts(openTestStore)
    const { hosts, clock, store } = world
    const urgencies = ['idle', 'renewal', 'first', 'expiring', 'replace-now'] as const
    for (const [index, urgency] of urgencies.entries()) {
      for (const which of ['late', 'early']) {
        const hostname = name(`${which}-${urgency}.test`)
        await hosts.add(hostname, 'x.test')
        await hosts.renewalMoved(hostname, clock.now(), urgency)
        const due = clock.now().getTime() - (which === 'early' ? 9000 : 1000 * index)
        await store.db
          .updateTable('hosts')
          .set({ next_attempt_at: due, ready_at: 1 })
          .where('hostname', '=', hostname)
          .execute()
      }
    }
    const first = await hosts.claimDue({ ...CLAIM, limit: 3 })
    expect(namesOf(first)).toEqual([
      ...['early-expiring.test', 'late-expiring.test', 'early-replace-now.test'],
    ])
    expect(namesOf(await hosts.claimDue(CLAIM))).toEqual([
      ...['late-replace-now.test', 'early-first.test', 'late-first.test'],
      ...['early-renewal.test', 'late-renewal.test', 'early-idle.test', 'late-idle.test'],
    ])
  })

  it('leases those that wait for DNS apart, so that they keep nobody else waiting', async () => {
    const { hosts, store } = await openHosts(openTestStore)
    const ready = ['first.test', 'renewal.test']
    for (const one of [...someNames('waiting-', 5), ...ready]) await hosts.add(name(one), 'x.test')
    const set = (hostname: string, priority: number) =>
      store.db
        .updateTable('hosts')
        .set({ ready_at: 1, priority })
        .where('hostname', '=', hostname)
        .execute()
    await set('first.test', 2)
    await set('renewal.test', 3)
    const claimed = namesOf(await hosts.claimDue({ ...CLAIM, limit: 6, looksMax: 2 }))
    expect(claimed).toHaveLength(4)
    expect(claimed[0]).toBe('first.test')
    expect(claimed.at(-1)).toBe('renewal.test')
    await hosts.recoverLeases()
    const looks = { ...CLAIM, which: 'waiting-for-dns' } as const
    for (const { host } of await hosts.claimDue(looks)) expect(host.readyAt).toBeUndefined()
    expect(await hosts.claimDue({ ...CLAIM, looksMax: -1 })).toSatisfy(
      (rest: readonly ClaimedHost[]) => rest.every(({ host }) => host.readyAt !== undefined),
    )
  })

  it('takes a lease from the far future for one that a wrong clock took', async () => {
    const { hosts, clock } = await openHosts(openTestStore)
    await hosts.add(HOST, 'x.test')
    await hosts.claim(HOST, { holder: 'b', leaseFor: days(90) })
    expect(await hosts.claimDue(CLAIM)).toHaveLength(1)
    await clock.advance(seconds(29))
    expect(await hosts.claimDue(CLAIM)).toHaveLength(0)
  })

  it('gives accounts turns in the queue, and each host its place until it has moved on', async () => {
    const world = await openHosts(openTestStore)
    const { hosts, clock } = world
    await queueUp(world, 'large', someNames('large-', 20))
    await queueUp(world, 'small', someNames('small-', 3))
    expect(await hosts.countQueued()).toMatchObject({ first: 23, renewal: 0 })
    expect(await hosts.claimDue(CLAIM)).toEqual([])
    const { hosts: all } = await hosts.page({ limit: 100 })
    const ahead = await Promise.all(all.map((host) => hosts.countAhead(host)))
    expect([Math.min(...ahead), Math.max(...ahead)]).toEqual([0, 22])
    const turn = { ...CLAIM, urgency: 'first', limit: 6 } as const
    const turns = await hosts.claimQueued(turn)
    expect(namesOf(turns).filter((one) => one.startsWith('small-'))).toHaveLength(3)
    expect(turns.every(({ via, host }) => via === 'queue' && host.nextAttemptAt)).toBe(true)
    // Killed: the place is still theirs.
    await clock.advance(seconds(31))
    const again = await hosts.claimQueued(turn)
    expect(namesOf(again)).toEqual(namesOf(turns))
    for (const claimed of again) await serve(world, claimed)
    expect(await hosts.countQueued()).toMatchObject({ first: 17 })
    expect(await hosts.hasQueued('first')).toBe(true)
    expect(await hosts.hasQueued('expiring')).toBe(false)
  })

  it('keeps who queues removable and checkable, and lets others pass who have their turn in vain', async () => {
    const world = await openHosts(openTestStore)
    const { hosts, clock } = world
    await queueUp(world, 'default', ['a.test', 'b.test', 'c.test'])
    const asked = await hosts.ask(name('a.test'), { kind: 'check-asked' })
    expect(asked.nextAttemptAt).toEqual(until(clock, DAY))
    expect(await hosts.claim(name('a.test'), CLAIM)).toMatchObject({ via: 'asked' })
    await clock.advance(seconds(31))
    await hosts.retire(name('b.test'))
    const [first] = await hosts.claimQueued({ ...CLAIM, urgency: 'first', limit: 1 })
    if (!first) throw new Error('nobody')
    const event = { kind: 'queued', reason: LIMITED, until: until(clock, DAY) } as const
    const still = move(world, first.host, { ...event, life: undefined })
    expect(await hosts.enqueue(first, still, { history: [], lease: 'release' })).toBe(true)
    expect(await hosts.enqueue(first, still, { history: [], lease: 'release' })).toBe(true)
    expect(namesOf(await hosts.claimQueued({ ...CLAIM, urgency: 'first' }))).toEqual([
      ...['c.test', 'a.test'],
    ])
    await hosts.retire(name('a.test'))
    expect(await hosts.enqueue(first, still, { history: [], lease: 'release' })).toBe(false)
  })

  it('has those near their end come first, and out of the queue of the others', async () => {
    const world = await openHosts(openTestStore)
    const { hosts, store, clock } = world
    await queueUp(world, 'default', ['queued.test', 'later.test', 'left.test', 'own.test'])
    for (const one of ['queued.test', 'left.test', 'own.test']) {
      const not_after = clock.now().getTime() + hours(40)
      await hold(world, name(one), { not_before: not_after - 90 * DAY, not_after })
    }
    await hold(world, name('later.test'), { not_after: clock.now().getTime() + hours(50) })
    const set = (hostname: string, columns: object) =>
      store.db.updateTable('hosts').set(columns).where('hostname', '=', hostname).execute()
    await set('left.test', { left_at: 1 })
    await set('own.test', { certificate_from: 'customer' })
    expect(await hosts.promoteExpiring({ mayGoOn: async () => false })).toBe(0)
    expect(await hosts.promoteExpiring({ mayGoOn })).toBe(1)
    expect(await hosts.promoteExpiring({ mayGoOn })).toBe(0)
    expect(await hosts.find(name('queued.test'))).toMatchObject({
      ...{ urgency: 'expiring', queuedAt: undefined, nextAttemptAt: clock.now() },
    })
    expect(namesOf(await hosts.claimDue(CLAIM))).toEqual(['queued.test'])
  })

  it('gives a name that another account had only to who can prove it, and back without proof', async () => {
    const world = await openHosts(openTestStore)
    const { hosts, store } = world
    await hosts.add(HOST, 'x.test', 'alice')
    await hosts.retire(HOST)
    const { host } = await hosts.add(HOST, 'x.test', 'bob')
    expect(host).toMatchObject({ account: 'bob', state: 'waiting-for-dns' })
    expect(host.claimToken).toMatch(/^[0-9a-f]{32}$/)
    expect(await hosts.claimToken(HOST, 'bob')).toBe(host.claimToken)
    // Nobody is served for it meanwhile.
    expect(await store.hot.hasHost(HOST)).toBe(false)
    const all: string[] = []
    for await (const names of store.hot.hostnames()) all.push(...names)
    expect(all).toEqual([])
    // Giving up and trying again changes nothing; nor does a third account's wish.
    await hosts.retire(HOST)
    expect((await hosts.add(HOST, 'x.test', 'bob')).host.claimToken).toBe(host.claimToken)
    await expect(hosts.add(HOST, 'x.test', 'carol')).rejects.toMatchObject({
      code: 'hosts/other-account',
    })
    const back = await hosts.add(HOST, 'x.test', 'alice')
    expect(back).toMatchObject({ created: true, host: { account: 'alice', claimToken: undefined } })
    expect(await store.hot.hasHost(HOST)).toBe(true)
  })

  it('makes a name its account’s once the proof was seen, with a new token for the next time', async () => {
    const world = await openHosts(openTestStore)
    const { hosts, store } = world
    await hosts.add(HOST, 'x.test', 'alice')
    await hosts.retire(HOST)
    const { host } = await hosts.add(HOST, 'x.test', 'bob')
    const [claimed] = await hosts.claimDue(CLAIM)
    if (!claimed) throw new Error('nobody')
    const proven = move(world, claimed.host, { kind: 'proven' })
    await hosts.save(claimed, proven, { history: [], lease: 'release' })
    expect(await store.hot.hasHost(HOST)).toBe(true)
    await hosts.retire(HOST)
    const alice = await hosts.add(HOST, 'x.test', 'alice')
    expect(alice.host.claimToken).toMatch(/^[0-9a-f]{32}$/)
    expect(alice.host.claimToken).not.toBe(host.claimToken)
    await expect(
      hosts.moveOver({ hostname: HOST, domain: 'x.test', account: 'bob' }, host.claimToken ?? ''),
    ).rejects.toMatchObject({ code: 'hosts/other-account' })
  })

  it('moves a name that another account has to who proves it, and leaves nothing of the old', async () => {
    const world = await openHosts(openTestStore)
    const { hosts, store } = world
    await hosts.add(HOST, 'x.test', 'alice')
    await hold(world, HOST, {})
    const [working] = await hosts.claimDue(CLAIM)
    const refused = await hosts.add(HOST, 'y.test', 'bob').catch((error: unknown) => error)
    const token = await hosts.claimToken(HOST, 'bob')
    expect(refused).toMatchObject({ code: 'hosts/other-account' })
    expect(refused).toMatchObject({ fix: expect.stringContaining(`postern-claim=${token}`) })
    const wish = { hostname: HOST, domain: 'y.test', account: 'bob' }
    await expect(hosts.moveOver(wish, 'guessed')).rejects.toMatchObject({
      code: 'hosts/other-account',
    })
    const { host } = await hosts.moveOver(wish, token ?? '')
    expect(host).toMatchObject({ account: 'bob', domain: 'y.test', state: 'waiting-for-dns' })
    const rows = await store.db.selectFrom('certificates').selectAll().execute()
    expect(rows.map((row) => [row.is_current, row.sealed_key.length])).toEqual([[0, 0]])
    if (!working) throw new Error('nobody')
    const late = { history: [], lease: 'release' } as const
    expect(await hosts.save(working, working.host, late)).toBe(false)
    const told = await hosts.untold(10)
    expect(told.map(({ account, kind }) => [account, kind])).toEqual([
      ['alice', 'moved'],
      ['bob', 'moved'],
    ])
    expect(JSON.stringify(told.at(-1))).not.toContain('alice')
  })

  it('forgets proofs that nobody waits for', async () => {
    const { hosts, clock } = await openHosts(openTestStore)
    await hosts.add(HOST, 'x.test', 'alice')
    await hosts.add(HOST, 'x.test', 'bob').catch(() => undefined)
    const released = name('released.test')
    await hosts.add(released, 'x.test', 'alice')
    await hosts.retire(released)
    await hosts.add(released, 'x.test', 'bob')
    await hosts.sweepClaims(until(clock, 1), async () => false)
    expect(await hosts.claimToken(HOST, 'bob')).toBeDefined()
    await hosts.sweepClaims(until(clock, 1), mayGoOn)
    expect(await hosts.claimToken(HOST, 'bob')).toBeUndefined()
    expect(await hosts.claimToken(released, 'bob')).toBeDefined()
  })
})
