import { expect, it } from 'vitest'
import type { HistoryDraft } from '../../../src/hosts/index.ts'
import { days, type Hostname, hours, minutes } from '../../../src/kernel/index.ts'
import { describeEachStore } from '../../support/stores.ts'
import {
  CLAIM,
  DAY,
  GONE,
  HOST,
  hold,
  LIMITED,
  lifeOf,
  mayGoOn,
  move,
  name,
  namesOf,
  onUnreadable,
  openHosts,
  serve,
  until,
} from './world.ts'

describeEachStore((openTestStore) => {
  it('keeps what accounts are to be told until it was taken over, and tells each once', async () => {
    const world = await openHosts(openTestStore)
    const { hosts } = world
    await hosts.add(HOST, 'x.test', 'alice')
    const [claimed] = await hosts.claimDue(CLAIM)
    if (!claimed) throw new Error('nobody')
    const draft: HistoryDraft = {
      ...{ step: 'serve', outcome: 'done', sentence: 'Served.' },
      ...{ notice: 'issued', certificateId: 'certificate-1' },
    }
    const silent: HistoryDraft = { step: 'look', outcome: 'done', sentence: 'Looked.' }
    await hosts.save(claimed, claimed.host, { history: [silent, draft], lease: 'release' })
    await hosts.note(HOST, { ...silent, code: 'https/wrong-certificate', notice: 'mismatch' })
    const told = await hosts.untold(10)
    expect(told).toMatchObject([
      { account: 'alice', kind: 'issued', hostname: HOST, certificateId: 'certificate-1' },
      { account: 'alice', kind: 'mismatch', code: 'https/wrong-certificate' },
    ])
    expect(await hosts.lastServedNotice(HOST)).toBe('certificate-1')
    await hosts.markTold([told[0]?.id ?? ''])
    expect((await hosts.untold(10)).map(({ kind }) => kind)).toEqual(['mismatch'])
    await hosts.markTold(told.map(({ id }) => id))
    await hosts.markTold([])
    expect(await hosts.untold(10)).toEqual([])
  })

  it('notes visits to the day, and wakes whom somebody waits for, but not often', async () => {
    const world = await openHosts(openTestStore)
    const { hosts, clock } = world
    await hosts.add(HOST, 'x.test')
    const [claimed] = await hosts.claimDue(CLAIM)
    if (!claimed) throw new Error('nobody')
    await serve(world, claimed)
    await clock.advance(days(200))
    const visit = () => ({ at: clock.now(), idleBefore: until(clock, -180 * DAY) })
    expect(await hosts.noteVisits([HOST, name('stranger.test')], visit())).toEqual([HOST])
    const visitedAt = (await hosts.find(HOST))?.visitedAt
    expect(visitedAt).toEqual(clock.now())
    await clock.advance(hours(5))
    expect(await hosts.noteVisits([HOST], visit())).toEqual([])
    expect((await hosts.find(HOST))?.visitedAt).toEqual(visitedAt)
    await clock.advance(hours(20))
    expect(await hosts.noteVisits([HOST], visit())).toEqual([])
    expect((await hosts.find(HOST))?.visitedAt).toEqual(clock.now())

    const [due] = await hosts.claimDue(CLAIM)
    if (!due) throw new Error('nobody')
    const looked = move(world, due.host, { kind: 'looked', checks: [], life: lifeOf(clock) })
    await hosts.save(due, looked, { history: [], lease: 'release' })
    await hosts.wakeVisited([HOST])
    expect(await hosts.claimDue(CLAIM)).toEqual([])
    await clock.advance(minutes(11))
    await hosts.wakeVisited([HOST])
    expect(namesOf(await hosts.claimDue(CLAIM))).toEqual([HOST])
  })

  it('does not let visitors overrule a CA', async () => {
    const world = await openHosts(openTestStore)
    const { hosts, clock } = world
    await hosts.add(HOST, 'x.test')
    const [claimed] = await hosts.claimDue(CLAIM)
    if (!claimed) throw new Error('nobody')
    const event = { kind: 'refused', reason: LIMITED, life: undefined } as const
    const refused = move(world, claimed.host, { ...event, retryAt: until(clock, DAY) })
    await hosts.save(claimed, refused, { history: [], lease: 'release' })
    await clock.advance(hours(1))
    await hosts.wakeVisited([HOST])
    expect(await hosts.claimDue(CLAIM)).toEqual([])
  })

  it('has authorizations deactivated until that is done, of who left or was retired, and is not back', async () => {
    const world = await openHosts(openTestStore)
    const { hosts, clock } = world
    const leave = { limit: 10, again: hours(1), onUnreadable }
    const [left, retired, back] = [name('left.test'), name('retired.test'), name('back.test')]
    for (const one of [left, retired, back]) await hosts.add(one, 'x.test')
    await hosts.retire(retired)
    for (const claimed of await hosts.claimDue(CLAIM)) {
      const gone = move(world, claimed.host, { kind: 'left', reason: GONE, checks: [] })
      await hosts.save(claimed, gone, { history: [], lease: 'release' })
    }
    const again = await hosts.claim(back, CLAIM)
    if (!again) throw new Error('nobody')
    const ready = move(world, again.host, { kind: 'ready', checks: [] })
    await hosts.save(again, ready, { history: [], lease: 'release' })
    const leaving = await hosts.claimLeaving(leave)
    expect(leaving.map(({ hostname }) => hostname).toSorted()).toEqual([left, retired])
    expect(await hosts.claimLeaving(leave)).toEqual([])
    for (const one of leaving) if (one.hostname === left) await hosts.leaveDone(one)
    await clock.advance(hours(1))
    const rest = await hosts.claimLeaving(leave)
    expect(rest.map(({ hostname }) => hostname)).toEqual([retired])
    // Added anew meanwhile: it is not to be left any more, and the old errand ends nothing.
    await hosts.add(retired, 'x.test')
    for (const one of rest) await hosts.leaveDone(one)
    await clock.advance(hours(2))
    expect(await hosts.claimLeaving(leave)).toEqual([])
  })

  it('ends who has left only when the last certificate is over', async () => {
    const world = await openHosts(openTestStore)
    const { hosts, store, clock } = world
    await hosts.add(HOST, 'x.test')
    await hold(world, HOST, { not_after: clock.now().getTime() + 30 * DAY })
    const [claimed] = await hosts.claimDue(CLAIM)
    if (!claimed) throw new Error('nobody')
    const gone = move(world, claimed.host, { kind: 'left', reason: GONE, checks: [] })
    await hosts.save(claimed, gone, { history: [], lease: 'release' })
    expect(await hosts.endedLeavers(10, onUnreadable)).toEqual([])
    await clock.advance(days(31))
    expect(await hosts.endedLeavers(10, onUnreadable)).toEqual([HOST])
    const draft: HistoryDraft = { step: 'leave', outcome: 'done', sentence: 'Over.' }
    await hosts.endLeaver(HOST, draft)
    expect(await hosts.find(HOST)).toMatchObject({ state: 'waiting-for-dns' })
    const [row] = await store.db.selectFrom('certificates').selectAll().execute()
    expect([row?.is_current, row?.sealed_key.length]).toEqual([0, 0])
    expect(await hosts.endedLeavers(10, onUnreadable)).toEqual([])
    const gonesince = (when: number) => hosts.longGone(until(clock, when), 10, onUnreadable)
    expect(await gonesince(-32 * DAY)).toEqual([])
    expect(await gonesince(-30 * DAY)).toEqual([HOST])
  })

  it('leaves the keys of who came back before the end was noticed', async () => {
    const world = await openHosts(openTestStore)
    const { hosts, store, clock } = world
    await hosts.add(HOST, 'x.test')
    await hold(world, HOST, { not_after: clock.now().getTime() - 1 })
    await hosts.endLeaver(HOST, { step: 'leave', outcome: 'done', sentence: 'Over.' })
    const [row] = await store.db.selectFrom('certificates').selectAll().execute()
    expect(row?.sealed_key.length).toBeGreaterThan(0)
  })

  it('pulls back only what a wrong clock has put into the far future', async () => {
    const world = await openHosts(openTestStore)
    const { hosts, store, clock } = world
    const latest = { anyReason: days(2.4), ofCa: days(8) }
    const due = async (hostname: string, ms: number, code: string | null = null) => {
      await hosts.add(name(hostname), 'x.test')
      await store.db
        .updateTable('hosts')
        .set({ next_attempt_at: clock.now().getTime() + ms, reason_code: code })
        .where('hostname', '=', hostname)
        .execute()
    }
    await due('near.test', 2 * DAY)
    await due('far.test', 90 * DAY)
    await due('ca.test', 7 * DAY, 'ca/rate-limited')
    await due('far-ca.test', 90 * DAY, 'ca/rate-limited')
    expect(await hosts.clampFuture(latest, async () => false)).toBe(0)
    expect(await hosts.clampFuture(latest, mayGoOn)).toBe(2)
    expect(await hosts.clampFuture(latest, mayGoOn)).toBe(0)
    await clock.advance(hours(1))
    expect(namesOf(await hosts.claimDue(CLAIM)).toSorted()).toEqual(['far-ca.test', 'far.test'])
  })

  it('removes entries older than a year, a batch at a time, but never the latest 200', async () => {
    const world = await openHosts(openTestStore)
    const { hosts, store, clock } = world
    const old = name('old.test')
    for (const one of [old, HOST]) await hosts.add(one, 'x.test')
    const draft: HistoryDraft = { step: 'look', outcome: 'done', sentence: '' }
    const fill = async (hostname: Hostname, count: number) => {
      for (let one = 0; one < count; one += 1) await hosts.note(hostname, draft)
    }
    await fill(old, 650)
    await fill(HOST, 100)
    await clock.advance(days(366))
    await fill(old, 10)
    const before = until(clock, -365 * DAY)
    let cursor: string | undefined = ''
    let calls = 0
    while (cursor !== undefined && calls < 10) {
      cursor = await hosts.pruneHistory(before, cursor, mayGoOn)
      calls += 1
    }
    expect(calls).toBe(2)
    const counts = await store.db
      .selectFrom('host_history')
      .select(({ fn }) => ['hostname', fn.countAll().as('count')])
      .groupBy('hostname')
      .orderBy('hostname')
      .execute()
    expect(counts.map(({ hostname, count }) => [hostname, Number(count)])).toEqual([
      [HOST, 101],
      [old, 200],
    ])
  })

  it('finds whose own certificates end, and who wants a CA to take over', async () => {
    const world = await openHosts(openTestStore)
    const { hosts, clock } = world
    for (const [hostname, takeOver] of [
      ['wants.test', true],
      ['wants-not.test', false],
    ] as const) {
      await hosts.add(name(hostname), 'x.test')
      await hosts.changeSource(name(hostname), { kind: 'brought', takeOver })
      await hold(world, name(hostname), { not_after: clock.now().getTime() + 6 * DAY })
    }
    expect(await hosts.dueTakeOvers(until(clock, 7 * DAY), 10)).toEqual(['wants.test'])
    await hosts.changeSource(name('wants.test'), { kind: 'handed-over' })
    expect(await hosts.dueTakeOvers(until(clock, 7 * DAY), 10)).toEqual([])
    expect(await hosts.find(name('wants.test'))).toMatchObject({ certificateFrom: 'acme' })
  })
})
