import { createServer } from 'node:tls'
import { expect, it } from 'vitest'
import { testSelf } from '../../../src/edge/tls/self-test.ts'
import { installTicketHook } from '../../../src/edge/tls/ticket-hook.ts'
import { createTicketRing } from '../../../src/edge/tls/ticket-ring.ts'
import { systemClock, systemRandom } from '../../../src/kernel/index.ts'
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
  expect(await under.edge.selfTest()).toEqual([])
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
