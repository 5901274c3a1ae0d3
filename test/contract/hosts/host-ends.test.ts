import { expect, it } from 'vitest'
import type { ExpiringHost, HistoryDraft, Host } from '../../../src/hosts/index.ts'
import type { Reason } from '../../../src/kernel/index.ts'
import { describeEachStore } from '../../support/stores.ts'
import {
  DAY,
  type HostsWorld,
  hold,
  mayGoOn,
  name,
  onUnreadable,
  openHosts,
  until,
} from './world.ts'

const HOUR = 3_600_000
const OVER: Reason = { code: 'certificate/expiring', sentence: 'Over.', fix: 'Wait.' }
const toDraft = ({ notAfter, why }: ExpiringHost): HistoryDraft => ({
  ...{ step: 'renew', outcome: 'failed', notice: 'expiring' },
  sentence: `Ends ${notAfter.toISOString()}. ${why}`,
})

/** Adds a host in some state, with a certificate of 90 days that ends and was due so many hours ago. */
async function addHeld(
  world: HostsWorld,
  text: string,
  { endsIn, dueSince, ...columns }: Record<string, number | string | null>,
): Promise<void> {
  const { hosts, store, clock } = world
  const hostname = name(text)
  await hosts.add(hostname, 'x.test')
  const now = clock.now().getTime()
  const not_after = now + Number(endsIn) * HOUR
  await store.db.updateTable('hosts').set(columns).where('hostname', '=', hostname).execute()
  const renew_at = now - Number(dueSince) * HOUR
  await hold(world, hostname, { not_before: not_after - 90 * DAY, not_after, renew_at })
}

const namesTold = async ({ hosts }: HostsWorld, kind: string): Promise<readonly string[]> =>
  (await hosts.untold(100)).flatMap((notice) => (notice.kind === kind ? [notice.hostname] : []))

describeEachStore((openTestStore) => {
  it('tells once of a certificate that ends and should be gone, whatever its host waits for', async () => {
    const world = await openHosts(openTestStore)
    const ends = { endsIn: 6 * 24, dueSince: 24 * 24 }
    const limited = { state: 'active', reason_code: 'ca/rate-limited', reason_sentence: 'Full.' }
    await addHeld(world, 'waits.test', { ...ends, ...limited })
    await addHeld(world, 'failing.test', { ...ends, state: 'failing' })
    await addHeld(world, 'due-late.test', { ...ends, dueSince: 23, state: 'active' })
    await addHeld(world, 'later.test', { ...ends, endsIn: 8 * 24, state: 'failing' })
    await addHeld(world, 'left.test', { ...ends, left_at: 1 })
    await addHeld(world, 'over.test', { ...ends, ceased_at: 1 })
    await addHeld(world, 'own.test', { ...ends, certificate_from: 'customer' })
    const { hosts } = world
    expect(await hosts.tellExpiring({ toDraft, mayGoOn: async () => false })).toBe(0)
    expect(await hosts.tellExpiring({ toDraft, mayGoOn })).toBe(2)
    expect(await hosts.tellExpiring({ toDraft, mayGoOn })).toBe(0)
    expect((await namesTold(world, 'expiring')).toSorted()).toEqual(['failing.test', 'waits.test'])
    expect(JSON.stringify(await hosts.untold(10))).toContain('Full.')
  })

  it('tells nobody of an end that is meant', async () => {
    const world = await openHosts(openTestStore)
    await addHeld(world, 'dormant.test', { endsIn: 24, dueSince: 700, created_at: 1 })
    await addHeld(world, 'visited.test', { endsIn: 24, dueSince: 700, visited_at: DAY * 300_000 })
    const dormantBefore = until(world.clock, -180 * DAY)
    const telling = { toDraft, mayGoOn, dormantBefore }
    expect(await world.hosts.promoteExpiring(telling)).toBe(1)
    expect(await world.hosts.tellExpiring(telling)).toBe(1)
    expect(await namesTold(world, 'expiring')).toEqual(['visited.test'])
    expect(await world.hosts.tellOverdue(telling, new Date(0))).toBeUndefined()
    expect(await world.hosts.find(name('dormant.test'))).toMatchObject({ told: undefined })
  })

  it('tells once of a renewal that is a day late, unless it was told of trouble already', async () => {
    const world = await openHosts(openTestStore)
    const { hosts } = world
    const draft = (): HistoryDraft => ({
      ...{ step: 'renew', outcome: 'waiting', notice: 'failing', sentence: 'Late.' },
    })
    await addHeld(world, 'late.test', { endsIn: 700, dueSince: 25, state: 'active' })
    await addHeld(world, 'queued.test', { endsIn: 700, dueSince: 25, queue_rank: 1 })
    await addHeld(world, 'known.test', { endsIn: 700, dueSince: 25, told: 'paused' })
    await addHeld(world, 'young.test', { endsIn: 700, dueSince: 23, state: 'active' })
    const telling = { toDraft: draft, mayGoOn }
    const start = new Date(0)
    expect(await hosts.tellOverdue({ ...telling, mayGoOn: async () => false }, start)).toEqual(
      start,
    )
    expect(await hosts.tellOverdue(telling, start)).toBeUndefined()
    expect(await hosts.tellOverdue(telling, start)).toBeUndefined()
    expect((await namesTold(world, 'failing')).toSorted()).toEqual(['late.test', 'queued.test'])
    expect(await hosts.find(name('late.test'))).toMatchObject({ told: 'failing', state: 'active' })
  })

  it('finds the active whose certificate is over, and calls them so no more', async () => {
    const world = await openHosts(openTestStore)
    const { hosts, clock } = world
    const over = { endsIn: -1, dueSince: 700 }
    await addHeld(world, 'over.test', { ...over, state: 'active', https_safe: 1, queue_rank: 1 })
    await addHeld(world, 'failing.test', { ...over, state: 'failing' })
    await addHeld(world, 'dormant.test', { ...over, state: 'active', created_at: 1 })
    const dormantBefore = until(clock, -180 * DAY)
    const span = { from: new Date(0), before: until(clock, HOUR), limit: 10, dormantBefore }
    const { hosts: all, next } = await hosts.ending(span, onUnreadable)
    const [found, ...others] = all
    expect([others, next]).toEqual([[], undefined])
    if (!found) throw new Error('nobody')
    const one = await hosts.ending({ ...span, limit: 1 }, onUnreadable)
    expect(one.next?.getTime()).toBeGreaterThanOrEqual(found.notAfter.getTime())
    expect(found).toMatchObject({ hostname: 'over.test', isActive: true, httpsSafe: true })
    const later = { ...span, from: until(clock, 0) }
    expect(await hosts.ending(later, onUnreadable)).toEqual({ hosts: [], next: undefined })
    const draft: HistoryDraft = { step: 'renew', outcome: 'failed', sentence: 'Over.' }
    const expire = (updatedAt: Date) =>
      hosts.expire(found.hostname, updatedAt, { reason: OVER, draft })
    expect(await expire(until(clock, -1))).toBe(false)
    expect(await expire(found.updatedAt)).toBe(true)
    expect(await expire(found.updatedAt)).toBe(false)
    const host: Partial<Host> = { state: 'failing', httpsSafe: false, reason: OVER }
    expect(await hosts.find(found.hostname)).toMatchObject(host)
    expect((await hosts.ending(span, onUnreadable)).hosts).toEqual([])
  })

  it('has who was put off for long come within the hour once the end is near', async () => {
    const world = await openHosts(openTestStore)
    const { hosts, clock } = world
    const next_attempt_at = clock.now().getTime() + DAY
    const ends = { endsIn: 47, dueSince: 700, state: 'failing', next_attempt_at }
    await addHeld(world, 'put-off.test', ends)
    await addHeld(world, 'ca.test', { ...ends, reason_code: 'ca/rejected' })
    expect(await hosts.promoteExpiring({ mayGoOn })).toBe(2)
    const dueAt = async (text: string) => (await hosts.find(name(text)))?.nextAttemptAt?.getTime()
    expect(await dueAt('put-off.test')).toBeLessThanOrEqual(clock.now().getTime() + HOUR)
    expect(await dueAt('ca.test')).toBe(next_attempt_at)
  })
})
