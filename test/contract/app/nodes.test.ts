import { expect, test } from 'vitest'
import { joinNodes } from '../../../src/app/nodes.ts'
import { type Clock, type Hostname, minutes, parseHostname } from '../../../src/kernel/index.ts'
import type { Store } from '../../../src/store/index.ts'
import { createAppRecord, createMetrics, openLog } from '../../../src/telemetry/index.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { describeEachStore } from '../../support/stores.ts'

const HOST = parseHostname('email.customer.test') as Hostname

describeEachStore((openTestStore) => {
  const record = createAppRecord({
    log: openLog({ level: 'silent', pretty: false }),
    metrics: createMetrics(),
  })
  const join = (store: Store, nodeId: string, clock: Clock = createFakeClock()) =>
    joinNodes({ store, clock, record, nodeId })

  test('a certificate is missing on every living node that has not confirmed it', async () => {
    const store = await openTestStore()
    await using here = await join(store, 'here')
    await using there = await join(store, 'there')
    await here.confirm(HOST, 'new')
    await there.confirm(HOST, 'old')
    expect(await here.without(HOST, 'new')).toEqual(['there'])
    await there.confirm(HOST, 'new')
    expect(await here.without(HOST, 'new')).toEqual([])
  })

  test('a node that has taken its leave is waited for by nobody', async () => {
    const store = await openTestStore()
    await using here = await join(store, 'here')
    await using there = await join(store, 'there')
    await there[Symbol.asyncDispose]()
    expect(await here.without(HOST, 'new')).toEqual(['here'])
  })

  test('a node whose clock goes wrong is alive for the others all the same', async () => {
    const store = await openTestStore()
    await using here = await join(store, 'here')
    await using behind = await join(store, 'behind', createFakeClock('2020-01-01T00:00:00Z'))
    await using ahead = await join(store, 'ahead', createFakeClock('2040-01-01T00:00:00Z'))
    for (const node of [here, behind, ahead]) {
      expect([...(await node.without(HOST, 'new'))].sort()).toEqual(['ahead', 'behind', 'here'])
    }
  })

  test('a node that is silent for too long no longer counts, and is forgotten in the end', async () => {
    const store = await openTestStore()
    await using here = await join(store, 'here')
    const addSeen = async (id: string, ago: number): Promise<unknown> =>
      store.db
        .insertInto('edge_nodes')
        .values(({ eb }) => ({ id, started_at: 1, seen_at: eb(store.nowMs, '-', ago) }))
        .execute()
    await addSeen('lately', minutes(1))
    await addSeen('long-ago', minutes(5))
    expect(await here.without(HOST, 'new')).toEqual(['here'])
    await using _third = await join(store, 'third')
    const left = await store.db.selectFrom('edge_nodes').select('id').orderBy('id').execute()
    expect(left).toEqual([{ id: 'here' }, { id: 'lately' }, { id: 'third' }])
  })

  test('a node can leave when its database is away, and says so', async () => {
    const store = await openTestStore()
    const faults: string[] = []
    const nodes = await joinNodes({
      store,
      clock: createFakeClock(),
      record: { ...record, backgroundFailed: ({ loop }) => void faults.push(loop) },
      nodeId: 'here',
    })
    await store[Symbol.asyncDispose]()
    await nodes[Symbol.asyncDispose]()
    expect(faults).toContain('farewell')
  })
})
