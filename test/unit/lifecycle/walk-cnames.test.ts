import { describe, expect, it } from 'vitest'
import { walkCnames } from '../../../src/lifecycle/walk-cnames.ts'
import type { DnsAnswer } from '../../../src/net/index.ts'

const signal = new AbortController().signal

function walk(zone: Readonly<Record<string, string | DnsAnswer<string>>>) {
  const cname = async (name: string): Promise<DnsAnswer<string>> => {
    const answer = zone[name]
    if (answer === undefined) return { kind: 'none' }
    return typeof answer === 'string' ? { kind: 'found', records: [answer] } : answer
  }
  return walkCnames({ cname }, 'a.test', signal)
}

describe('the walk along CNAMEs', () => {
  it('ends where there is none', async () => {
    expect(await walk({})).toEqual({ targets: [], end: 'complete' })
    expect(await walk({ 'a.test': 'b.test', 'b.test': 'c.test' })).toEqual({
      targets: ['b.test', 'c.test'],
      end: 'complete',
    })
  })

  it('notices circles', async () => {
    expect(await walk({ 'a.test': 'a.test' })).toEqual({ targets: ['a.test'], end: 'loop' })
    expect(await walk({ 'a.test': 'b.test', 'b.test': 'c.test', 'c.test': 'b.test' })).toEqual({
      targets: ['b.test', 'c.test', 'b.test'],
      end: 'loop',
    })
  })

  it('gives up after eight hops', async () => {
    const zone = Object.fromEntries(
      Array.from({ length: 20 }, (_, hop) => [hop ? `${hop}.test` : 'a.test', `${hop + 1}.test`]),
    )
    const { targets, end } = await walk(zone)
    expect([targets.length, end]).toEqual([8, 'too-long'])
  })

  it('says how it broke off', async () => {
    expect(await walk({ 'a.test': 'b.test', 'b.test': { kind: 'servfail' } })).toEqual({
      targets: ['b.test'],
      end: 'servfail',
    })
    expect(await walk({ 'a.test': { kind: 'nxdomain' } })).toEqual({ targets: [], end: 'nxdomain' })
  })

  it('takes the first record of a server that answers with the whole chain', async () => {
    const chain: DnsAnswer<string> = { kind: 'found', records: ['b.test', 'c.test'] }
    expect((await walk({ 'a.test': chain, 'b.test': 'c.test' })).targets).toEqual([
      'b.test',
      'c.test',
    ])
    expect(await walk({ 'a.test': { kind: 'found', records: [] } })).toEqual({
      targets: [],
      end: 'complete',
    })
  })
})
