import { expect, it } from 'vitest'
import { type Hostname, parseHostname } from '../../../src/kernel/index.ts'
import { shareAnswers } from '../../../src/lifecycle/share-answers.ts'
import type { DnsAnswer } from '../../../src/net/index.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

const signal = new AbortController().signal
const edgeName = parseHostname('edge.ours.test') as Hostname

function sharing(answer: DnsAnswer<never> = { kind: 'none' }) {
  const asked: string[] = []
  const ask = async (name: string): Promise<DnsAnswer<never>> => {
    asked.push(name)
    return answer
  }
  const clock = createFakeClock()
  const resolver = { a: ask, aaaa: ask, caa: ask, cname: ask, txt: ask }
  return { asked, clock, shared: shareAnswers(resolver, { clock, edgeName }) }
}

it('asks once for the edge name and for top-level domains, for five seconds', async () => {
  const { asked, clock, shared } = sharing()
  await Promise.all([1, 2, 3].map(() => shared.a(edgeName, signal)))
  await Promise.all([1, 2, 3].map(() => shared.caa('test', signal)))
  expect(asked).toEqual([edgeName, 'test'])
  await shared.aaaa(edgeName, signal)
  expect(asked).toHaveLength(3)
  await clock.advance(5_000)
  await shared.a(edgeName, signal)
  expect(asked).toHaveLength(4)
})

it('always asks anew what belongs to a customer', async () => {
  const { asked, shared } = sharing()
  await shared.cname('email.customer.test', signal)
  await shared.cname('email.customer.test', signal)
  await shared.caa('customer.test', signal)
  await shared.caa('customer.test', signal)
  expect(asked).toHaveLength(4)
})

it.each(['servfail', 'timeout'] as const)('does not remember a %s', async (kind) => {
  const { asked, shared } = sharing({ kind })
  await shared.a(edgeName, signal)
  await shared.a(edgeName, signal)
  expect(asked).toHaveLength(2)
})

it('is not filled without end by made-up domains', async () => {
  const { asked, shared } = sharing()
  for (let index = 0; index <= 2_000; index += 1) await shared.caa(`x${index}`, signal)
  await shared.caa('x0', signal)
  expect(asked).toHaveLength(2_002)
})
