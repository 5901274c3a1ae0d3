import { expect, it } from 'vitest'
import { days, type Reason, seconds } from '../../../src/kernel/index.ts'
import { describeEachStore } from '../../support/stores.ts'
import {
  CLAIM,
  DAY,
  GONE,
  HOST,
  type HostsWorld,
  LIMITED,
  mayGoOn,
  move,
  name,
  onUnreadable,
  openHosts,
  queueUp,
  serve,
  until,
} from './world.ts'

const LEAVE = { limit: 10, again: seconds(1), onUnreadable }

/** Adds a host that has left. */
async function addLeaver(world: HostsWorld): Promise<void> {
  const { hosts } = world
  await hosts.add(HOST, 'x.test', 'alice')
  const [claimed] = await hosts.claimDue(CLAIM)
  if (!claimed) throw new Error('nobody')
  const gone = move(world, claimed.host, { kind: 'left', reason: GONE, checks: [] })
  await hosts.save(claimed, gone, { history: [], lease: 'release' })
}

describeEachStore((openTestStore) => {
  it('does not retire a leaver that has come back since it was found', async () => {
    const world = await openHosts(openTestStore)
    const { hosts, clock } = world
    await addLeaver(world)
    await clock.advance(days(366))
    const before = until(clock, -365 * DAY)
    expect(await hosts.longGone(before, 10, onUnreadable)).toEqual([HOST])
    const back = await hosts.claim(HOST, CLAIM)
    if (!back) throw new Error('nobody')
    await serve(world, back)
    expect(await hosts.retireLeaver(HOST, before, 'Gone.')).toBeUndefined()
    expect(await hosts.find(HOST)).toMatchObject({ state: 'active', leftAt: undefined })
  })

  it('retires a leaver that is still away', async () => {
    const world = await openHosts(openTestStore)
    const { hosts, clock } = world
    await addLeaver(world)
    await clock.advance(days(366))
    const before = until(clock, -365 * DAY)
    expect(await hosts.retireLeaver(HOST, until(clock, -367 * DAY), 'Gone.')).toBeUndefined()
    expect(await hosts.retireLeaver(HOST, before, 'Gone.')).toMatchObject({ state: 'retired' })
    expect((await hosts.history(HOST)).at(-1)).toMatchObject({ sentence: 'Gone.' })
  })

  it("puts an owner's certificate to use only in the life for which it was brought", async () => {
    const { hosts, clock } = await openHosts(openTestStore)
    const { host } = await hosts.add(HOST, 'x.test', 'alice')
    const bring = () => hosts.changeSource(HOST, { kind: 'brought', takeOver: false }, host)
    expect(await bring()).toMatchObject({ certificateFrom: 'customer' })
    await clock.advance(seconds(1))
    await hosts.retire(HOST)
    await expect(bring()).rejects.toMatchObject({ code: 'hosts/not-found' })
    await hosts.add(HOST, 'x.test', 'alice')
    await expect(bring()).rejects.toMatchObject({ code: 'hosts/not-found' })
    await hosts.retire(HOST)
    const { host: claimed } = await hosts.add(HOST, 'x.test', 'bob')
    expect(claimed.claimToken).toBeDefined()
    await expect(
      hosts.changeSource(HOST, { kind: 'brought', takeOver: false }, claimed),
    ).rejects.toMatchObject({ code: 'hosts/not-found' })
    expect(await hosts.find(HOST)).toMatchObject({ certificateFrom: 'acme' })
  })

  it('goes on ending what CAs allow the former owner when another account adds the name', async () => {
    const { hosts } = await openHosts(openTestStore)
    await hosts.add(HOST, 'x.test', 'alice')
    await hosts.retire(HOST)
    await hosts.add(HOST, 'x.test', 'bob')
    expect(await hosts.claimLeaving(LEAVE)).toMatchObject([{ hostname: HOST }])
    await hosts.retire(HOST)
    await hosts.add(HOST, 'x.test', 'alice')
    expect(await hosts.claimLeaving(LEAVE)).toEqual([])
  })

  it('calls a name over only while a CA serves it and it has not left', async () => {
    const world = await openHosts(openTestStore)
    const { hosts } = world
    const reason: Reason = { code: 'certificate/revoked', sentence: 'Over.', fix: 'Retire it.' }
    await addLeaver(world)
    await hosts.cease(HOST, reason)
    expect(await hosts.find(HOST)).toMatchObject({ ceasedAt: undefined })
    const other = name('other.test')
    await queueUp(world, 'default', [other])
    await hosts.cease(other, reason)
    expect(await hosts.find(other)).toMatchObject({ state: 'failing', reason, queuedAt: undefined })
    expect(await hosts.countQueued()).toMatchObject({ first: 0 })
    await hosts.cease(name('nobody.test'), reason)
  })

  it('wakes as many as wait for one reason, and pulls back as many as were put off', async () => {
    const world = await openHosts(openTestStore)
    const { hosts, store, clock } = world
    const row = (index: number) => ({
      ...{ hostname: `h${index}.test`, domain: 'x.test', state: 'active', checks: '[]' },
      ...{ https_safe: 0, failures: 3, reason_code: 'postern/clock-wrong', priority: 3 },
      ...{ created_at: 1, updated_at: 1, ready_at: index % 2 === 0 ? 1 : null },
      next_attempt_at: clock.now().getTime() + 90 * DAY,
    })
    const rows = Array.from({ length: 1200 }, (_, index) => row(index))
    for (let at = 0; at < rows.length; at += 300) {
      await store.db
        .insertInto('hosts')
        .values(rows.slice(at, at + 300))
        .execute()
    }
    const dates = async () => {
      const found = await store.db.selectFrom('hosts').select('next_attempt_at').execute()
      return found.map(({ next_attempt_at }) => (next_attempt_at ?? 0) - clock.now().getTime())
    }
    const latest = { anyReason: days(2.4), ofCa: days(8) }
    expect(await hosts.clampFuture(latest, mayGoOn)).toBe(1200)
    const clamped = await dates()
    expect(Math.max(...clamped)).toBeLessThanOrEqual(3_600_000)
    // Each at a time of its own.
    expect(new Set(clamped).size).toBeGreaterThan(1000)
    await hosts.wakeWaiting(LIMITED.code)
    expect(new Set(await dates()).size).toBeGreaterThan(1000)
    await hosts.wakeWaiting('postern/clock-wrong')
    expect(new Set(await dates())).toEqual(new Set([0]))
  })
})
