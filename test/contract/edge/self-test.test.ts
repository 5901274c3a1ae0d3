import { createServer } from 'node:tls'
import { expect, it } from 'vitest'
import { startSelfTests } from '../../../src/app/fleet/self-tests.ts'
import { testSelf } from '../../../src/edge/tls/self-test.ts'
import { installTicketHook } from '../../../src/edge/tls/ticket-hook.ts'
import { createTicketRing } from '../../../src/edge/tls/ticket-ring.ts'
import { createTicketedServer } from '../../../src/edge/tls/ticketed-server.ts'
import { type Clock, minutes, systemClock, systemRandom } from '../../../src/kernel/index.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { openEdge } from './support.ts'

const outside = { clock: systemClock, random: systemRandom }

// On the day this fails, a new Node does something else than the edge relies on.
it('finds nothing on the runtime that is shipped', async () => {
  const { findings, passed } = await testSelf(outside, 'ring')
  expect(findings).toEqual([])
  expect(passed).toEqual([
    ...['sni-certificate', 'unknown-name', 'resumption', 'renewed-tickets'],
    ...['old-versions', 'renegotiation', 'hand-over'],
  ])
})

it('finds that Node by itself hands a resumed connection no new ticket', async () => {
  const { findings } = await testSelf(outside, 'one-key')
  expect(findings).toMatchObject([{ check: 'renewed-tickets', weight: 'degraded' }])
})

it('is not in the way of visitors, and not counted among them', async () => {
  await using under = await openEdge()
  expect(await under.edge.selfTest()).toMatchObject({ findings: [], late: [] })
  expect(await under.metric('postern_edge_self_test_failed')).toContain('renewed-tickets')
  expect(await under.metric('postern_handshakes_total')).not.toContain('unknown-sni')
})

it('leaves a server without the hook to Node', () => {
  const ring = createTicketRing(outside)
  expect(installTicketHook(createServer(), { ring, random: systemRandom })).toBe('ring')
  const bare = createServer()
  Reflect.set(bare, '_sharedCreds', { context: {} })
  expect(installTicketHook(bare, { ring, random: systemRandom })).toBe('one-key')
})

/** On which every handshake of ours takes too long. */
const hurried: Clock = { ...systemClock, sleep: async () => undefined }

it('holds it against nobody that a machine is too busy to answer itself', async () => {
  const { findings, passed, late } = await testSelf({ ...outside, clock: hurried }, 'ring')
  expect({ findings, passed }).toEqual({ findings: [], passed: [] })
  expect(late).toHaveLength(7)
  const again = await testSelf(outside, 'ring', late.slice(1, 3))
  expect(again).toMatchObject({ findings: [], passed: ['unknown-name', 'resumption'], late: [] })
})

it('tries again a minute later what was too slow, until it knows', async () => {
  const clock = createFakeClock()
  const busy = [['unknown-name', 'resumption'], ['resumption'], []] as const
  const asked: unknown[] = []
  const told: unknown[] = []
  const selfTest: Parameters<typeof startSelfTests>[0]['edge']['selfTest'] = async (due) => {
    const late = busy[asked.push(due) - 1] ?? []
    const findings = [{ check: 'old-versions', why: 'so', weight: 'unsafe' } as const]
    return { findings: asked.length === 2 ? findings : [], passed: [], late, ms: 1 }
  }
  const record = { failed: (_during: string, error: unknown) => expect.unreachable(String(error)) }
  using _ = startSelfTests({ edge: { selfTest }, clock, record }, ({ troubles }) =>
    told.push(troubles.length),
  )
  await clock.advance(minutes(1) - 1)
  expect(asked).toEqual([undefined])
  await clock.advance(minutes(5))
  expect(asked).toEqual([undefined, busy[0], busy[1]])
  expect(told).toEqual([0, 1, 0])
})

it('never throws, even if it cannot be set up', async () => {
  const bytes = () => {
    throw new Error('no entropy')
  }
  const report = await testSelf({ ...outside, random: { ...systemRandom, bytes } }, 'ring')
  expect(report.findings).toEqual([
    { check: 'set-up', why: 'Error: no entropy', weight: 'degraded' },
  ])
})

it('serves without the hook where Node throws at it, and says so', async () => {
  const ring = createTicketRing(outside)
  using _ = brokenHook()
  const deps = { ring, random: systemRandom, sniCallback: () => undefined }
  expect(createTicketedServer(deps, 'ring')).toMatchObject({
    ...{ handling: 'one-key', hookFailure: 'Error: no such thing any more' },
  })
  await using under = await openEdge()
  const { findings } = await under.edge.selfTest()
  expect(findings.map(({ check }) => check)).toEqual(['renewed-tickets', 'ticket-hook'])
})

/** As a release of Node might have it. */
function brokenHook(): Disposable {
  const context = Reflect.get(Reflect.get(createServer(), '_sharedCreds'), 'context')
  const prototype = Object.getPrototypeOf(context)
  const real = Reflect.get(prototype, 'enableTicketKeyCallback')
  Reflect.set(prototype, 'enableTicketKeyCallback', () => {
    throw new Error('no such thing any more')
  })
  return {
    [Symbol.dispose]: () => void Reflect.set(prototype, 'enableTicketKeyCallback', real),
  }
}
