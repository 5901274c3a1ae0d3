import { describe, expect, it } from 'vitest'
import {
  claimRecord,
  formatClaim,
  judgeClaim,
  judgeRegularLook,
  type RegularFacts,
} from '../../../src/hosts/index.ts'
import { type Hostname, parseHostname } from '../../../src/kernel/index.ts'
import type { DnsAnswer } from '../../../src/net/index.ts'

const hostname = parseHostname('email.customer.com') as Hostname
const edgeName = parseHostname('edge.ours.net') as Hostname
const found = (...records: string[]): DnsAnswer<string> => ({ kind: 'found', records })
const NONE = { kind: 'none' } as const
const OURS = { serial: '0A', issuer: 'Good CA' }
const THEIRS = { serial: '0B', issuer: 'Router\u001b[31m' }
const EDGE = { a: found('8.8.4.4'), aaaa: NONE }

/** A host that is well, but for what is said. */
const judge = (over: Partial<RegularFacts> = {}) =>
  judgeRegularLook({
    ...{ hostname, edgeName, chain: { targets: [edgeName], end: 'complete' } },
    ...{ addresses: EDGE, edgeAddresses: EDGE, serial: '0A' },
    sights: [{ address: '8.8.4.4', shown: [{ port: 443, certificate: OURS }] }],
    ...over,
  })

describe('what a regular look finds', () => {
  it('is well where DNS leads here and visitors get our certificate', () => {
    expect(judge()).toEqual({
      kind: 'well',
      checks: [
        { name: 'cname', ok: true, seen: 'CNAME edge.ours.net', expected: 'CNAME edge.ours.net' },
        { name: 'addresses', ok: true, seen: '8.8.4.4', expected: 'an address' },
        { name: 'https', ok: true, seen: 'certificate 0A', expected: 'certificate 0A' },
      ],
    })
  })

  it.each([
    ['nothing', []],
    ['what is not TLS', [{ port: 443, certificate: undefined }]],
  ])('is well where visitors may be reached although we get %s', (_, shown) => {
    const judged = judge({ sights: [{ address: '8.8.4.4', shown }] })
    expect(judged.kind).toBe('well')
    expect(judged.checks.at(-1)?.seen).toBe('not reachable from here')
  })

  it('is well behind a router that has a certificate of its own on another port', () => {
    const shown = [
      { port: 443, certificate: THEIRS },
      { port: 8443, certificate: OURS },
    ]
    expect(judge({ sights: [{ address: '8.8.4.4', shown }] }).kind).toBe('well')
  })

  it('is a mismatch where visitors get another certificate, on any address', () => {
    const judged = judge({
      sights: [
        { address: '8.8.4.4', shown: [{ port: 443, certificate: OURS }] },
        { address: '8.8.8.8', shown: [{ port: 443, certificate: THEIRS }] },
      ],
    })
    if (judged.kind !== 'mismatch') throw new Error(judged.kind)
    expect(judged.reason.code).toBe('https/wrong-certificate')
    expect(judged.reason.sentence).toContain('8.8.8.8')
    expect(judged.reason.sentence).toContain('0B')
    expect(judged.reason.sentence).not.toContain('\u001b')
  })

  it.each<[string, Partial<RegularFacts>, string, boolean]>([
    ['NXDOMAIN', { chain: { targets: [], end: 'nxdomain' } }, 'dns/nxdomain', true],
    ['no CNAME', { chain: { targets: [], end: 'complete' } }, 'dns/no-cname', true],
    ['another', { chain: { targets: ['x.test'], end: 'complete' } }, 'dns/wrong-target', true],
    ['silence', { chain: { targets: [], end: 'servfail' } }, 'dns/servfail', false],
    ['no answer in time', { chain: { targets: [], end: 'timeout' } }, 'dns/servfail', false],
  ])('is trouble where DNS says %s', (_, over, code, isAway) => {
    const judged = judge({ addresses: { a: found('9.9.9.9'), aaaa: NONE }, ...over })
    expect(judged).toMatchObject({ kind: 'trouble', isAway, reason: { code } })
  })

  it('is not that the customer has left where the address is still ours', () => {
    const judged = judge({ chain: { targets: [], end: 'complete' } })
    expect(judged).toMatchObject({ kind: 'trouble', isAway: false })
  })

  it('is not believed of a resolver that does not even find the edge', () => {
    const nowhere = { a: { kind: 'nxdomain' }, aaaa: { kind: 'nxdomain' } } as const
    const judged = judge({
      ...{ chain: { targets: [], end: 'nxdomain' }, addresses: nowhere, edgeAddresses: nowhere },
    })
    expect(judged).toMatchObject({ kind: 'trouble', isAway: false })
  })

  it('is trouble where the name leads here and to no address', () => {
    const servfail = { kind: 'servfail' } as const
    const timeout = { kind: 'timeout' } as const
    const of = (a: DnsAnswer<string>, aaaa: DnsAnswer<string>) => judge({ addresses: { a, aaaa } })
    expect(of(servfail, NONE)).toMatchObject({ reason: { code: 'dns/servfail' }, isAway: false })
    expect(of(NONE, timeout)).toMatchObject({ reason: { code: 'dns/servfail' }, isAway: false })
    expect(of(NONE, NONE)).toMatchObject({ reason: { code: 'dns/nxdomain' } })
    expect(of(NONE, found('2001:4860:4860::8844')).kind).toBe('well')
  })
})

describe('the proof that a name of another account is this one’s', () => {
  const record = claimRecord(hostname, 'abc')

  it('is one TXT record among any others', () => {
    expect(formatClaim(record)).toBe('_postern.email.customer.com. TXT "postern-claim=abc"')
    const answer = found('v=spf1 -all', ' postern-claim=abc ')
    expect(judgeClaim(hostname, 'abc', answer)).toMatchObject({
      kind: 'proven',
      check: { ok: true },
    })
  })

  it.each<[string, DnsAnswer<string>, string]>([
    ['another token', found('postern-claim=abd'), 'TXT "postern-claim=abd"'],
    ['no record', NONE, 'no TXT record'],
    ['no name', { kind: 'nxdomain' }, 'no TXT record'],
    ['silence', { kind: 'timeout' }, 'no answer in time'],
    ['a failure', { kind: 'servfail' }, 'the name servers failed (SERVFAIL)'],
  ])('is not %s', (_, answer, seen) => {
    const judged = judgeClaim(hostname, 'abc', answer)
    if (judged.kind !== 'claim-needed') throw new Error(judged.kind)
    expect(judged.reason.code).toBe('dns/claim-needed')
    expect(judged.reason.fix).toContain(formatClaim(record))
    expect(judged.check).toMatchObject({ ok: false, seen })
  })
})
