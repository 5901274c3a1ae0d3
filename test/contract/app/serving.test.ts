import { expect, test } from 'vitest'
import { joinNodes } from '../../../src/app/nodes.ts'
import { createServing } from '../../../src/app/serving.ts'
import type { RehearsalOutcome } from '../../../src/edge/index.ts'
import { type Hostname, parseHostname, systemClock } from '../../../src/kernel/index.ts'
import type { Store } from '../../../src/store/index.ts'
import { createAppRecord, createMetrics, openLog } from '../../../src/telemetry/index.ts'
import { describeEachEngine } from '../../support/stores.ts'

const HOST = parseHostname('email.customer.test') as Hostname
const WELL: RehearsalOutcome = { kind: 'went-well' }
const KEYS = { keyIds: ['k'] }
const signal = new AbortController().signal

/** The edges of a node, as far as rehearsals go: what they say is told to them. */
function someEdges(outcome: RehearsalOutcome) {
  const rehearsed: string[] = []
  const told: string[] = []
  return {
    rehearsed,
    told,
    hostChanged: (hostname: Hostname) => void told.push(hostname),
    confirm: async () => true,
    rehearse: async (_hostname: Hostname, certificateId: string) => {
      rehearsed.push(certificateId)
      return outcome
    },
    resync: () => undefined,
  }
}

describeEachEngine(({ engine, openTestStore }) => {
  const record = createAppRecord({
    log: openLog({ level: 'silent', pretty: false }),
    metrics: createMetrics(),
  })
  const none = { find: async () => undefined, current: async () => undefined }

  async function openNode(store: Store, nodeId: string, outcome: RehearsalOutcome) {
    const stack = new AsyncDisposableStack()
    const nodes = stack.use(
      await joinNodes({ store, clock: systemClock, record, nodeId, keys: KEYS }),
    )
    const fleet = someEdges(outcome)
    const serving = createServing({ store, certs: none, fleet, clock: systemClock, nodes })
    const stopping = new AbortController()
    const following = serving.followNotices(stopping.signal)
    stack.defer(async () => {
      stopping.abort()
      await following
    })
    const rehearse = (certificateId: string) => serving.check.rehearse(HOST, certificateId, signal)
    return { fleet, rehearse, [Symbol.asyncDispose]: () => stack.disposeAsync() }
  }

  const rowsOf = (store: Store) => store.db.selectFrom('edge_rehearsals').selectAll().execute()

  test('a rehearsal is one on every living node, each once', async () => {
    const store = await openTestStore()
    await using here = await openNode(store, 'here', WELL)
    await using there = await openNode(store, 'there', WELL)
    await using elsewhere = await openNode(store, 'elsewhere', WELL)
    expect(await here.rehearse('one')).toEqual(WELL)
    for (const { fleet } of [here, there, elsewhere]) expect(fleet.rehearsed).toEqual(['one'])
    // Nobody but the rehearsed learns of it, and nothing is left behind.
    expect(there.fleet.told).toEqual([])
    expect(await rowsOf(store)).toEqual([])
    expect(await there.rehearse('two')).toEqual(WELL)
    expect(here.fleet.rehearsed).toEqual(['one', 'two'])
  })

  test('a rehearsal that fails on one node fails at once, with its reason', async () => {
    const store = await openTestStore()
    const bad: RehearsalOutcome = { kind: 'failed', why: 'It cannot be used: no such key' }
    await using here = await openNode(store, 'here', WELL)
    await using there = await openNode(store, 'there', bad)
    const expected = { kind: 'failed', why: 'On node there: It cannot be used: no such key' }
    expect(await here.rehearse('one')).toEqual(expected)
    // What was written then is not taken for the answer of the next time.
    expect(await here.rehearse('one')).toEqual(expected)
    expect(there.fleet.rehearsed).toEqual(['one', 'one'])
    expect(await there.rehearse('one')).toEqual(bad)
  })

  test('a node that says nothing is waited for, but not for ever', async () => {
    const store = await openTestStore()
    await using here = await openNode(store, 'here', WELL)
    const deaf = { store, clock: systemClock, record, nodeId: 'deaf' }
    // Of a version that knows nothing of rehearsals, as it knows nothing of keys.
    await using _old = await joinNodes({ ...deaf, nodeId: 'old' })
    expect(await here.rehearse('one')).toEqual(WELL)
    await using _deaf = await joinNodes({ ...deaf, keys: KEYS })
    expect(await here.rehearse('one')).toEqual({
      ...{ kind: 'unanswered', here: 'went-well' },
      why: 'These nodes have not tried it out yet: deaf',
    })
  }, 20_000)

  test('who cannot say, here or elsewhere, says nothing against the certificate', async () => {
    const store = await openTestStore()
    const unsure: RehearsalOutcome = { kind: 'unanswered', why: 'No edge worker is serving' }
    await using here = await openNode(store, 'here', unsure)
    expect(await here.rehearse('one')).toEqual({ ...unsure, here: 'unanswered' })
    await using there = await openNode(store, 'there', WELL)
    expect(await there.rehearse('one')).toMatchObject({
      ...{ kind: 'unanswered', here: 'went-well' },
      why: 'These nodes have not tried it out yet: here',
    })
  }, 20_000)

  test.runIf(engine === 'sqlite')('where there are no nodes, the edges here are all', async () => {
    const store = await openTestStore()
    const fleet = someEdges(WELL)
    const serving = createServing({
      ...{ store, certs: none, fleet, clock: systemClock, nodes: undefined },
    })
    expect(await serving.check.rehearse(HOST, 'one', signal)).toEqual(WELL)
    expect(await rowsOf(store)).toEqual([])
  })
})
