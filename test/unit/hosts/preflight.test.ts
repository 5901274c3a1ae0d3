import { describe, expect, it } from 'vitest'
import {
  type AddressAnswers,
  type CaaLook,
  judgePreflight,
  type PreflightFacts,
} from '../../../src/hosts/index.ts'
import { type Hostname, parseHostname, type Reason } from '../../../src/kernel/index.ts'
import type { DnsAnswer, ProbeAnswer } from '../../../src/net/index.ts'

const hostname = parseHostname('email.customer.com') as Hostname
const edgeName = parseHostname('edge.ours.net') as Hostname

const found = <Found>(...records: Found[]): DnsAnswer<Found> => ({ kind: 'found', records })
const NONE = { kind: 'none' } as const
const addresses = (a: readonly string[], aaaa: readonly string[] = []): AddressAnswers => ({
  a: a.length > 0 ? found(...a) : NONE,
  aaaa: aaaa.length > 0 ? found(...aaaa) : NONE,
})
const answered = (body: string, over: { status?: number; server?: string } = {}): ProbeAnswer => ({
  kind: 'answered',
  status: over.status ?? 200,
  body,
  server: over.server,
})
const RIGHT = answered('token\n')
const unreachable = (why: Extract<ProbeAnswer, { kind: 'unreachable' }>['why']): ProbeAnswer => ({
  kind: 'unreachable',
  why,
})
const probe = (address: string, ...answers: readonly ProbeAnswer[]) => ({
  address,
  answers: answers.map((answer, index) => ({ port: index === 0 ? 80 : 8080, answer })),
})
const caaAt = (name: string, tag: string, value: string, critical = false): CaaLook => ({
  name,
  answer: found({ critical, tag, value }),
})

/** A host with which all is well, but for what is said. */
function facts(over: Partial<PreflightFacts> = {}): PreflightFacts {
  return {
    hostname,
    edgeName,
    chain: { targets: ['edge.ours.net'], end: 'complete' },
    addresses: addresses(['8.8.4.4']),
    edgeAddresses: addresses(['8.8.4.4']),
    caa: [
      { name: 'edge.ours.net', answer: NONE },
      { name: 'customer.com', answer: NONE },
    ],
    authorities: [{ name: "Let's Encrypt", caaIdentities: ['letsencrypt.org'] }],
    probes: [probe('8.8.4.4', RIGHT)],
    probeBody: 'token',
    terms: 'agreed',
    ...over,
  }
}

const reasonFor = (over: Partial<PreflightFacts>): Reason | undefined => {
  const judgement = judgePreflight(facts(over))
  return judgement.kind === 'ready' ? undefined : judgement.reason
}
const SET_CNAME = 'email.customer.com. CNAME edge.ours.net.'

describe('a host that is ready', () => {
  it('may be the edge name itself, without a CNAME', () => {
    const judgement = judgePreflight(facts({ hostname: edgeName }))
    expect(judgement.kind).toBe('ready')
    expect(judgement.checks[0]).toMatchObject({ name: 'cname', seen: 'the edge name itself' })
  })

  it('has passed every check', () => {
    const judgement = judgePreflight(facts())
    expect(judgement.kind).toBe('ready')
    expect(judgement.checks.map(({ name, ok }) => [name, ok])).toEqual([
      ...[
        ['cname', true],
        ['addresses', true],
        ['caa', true],
        ['http', true],
        ['terms', true],
      ],
    ])
  })

  it.each<[string, Partial<PreflightFacts>]>([
    [
      'leads to the edge over several hops and on from there',
      { chain: { targets: ['a.test', 'edge.ours.net', 'lb.ours.net'], end: 'complete' } },
    ],
    [
      'lives on IPv6 only',
      {
        addresses: addresses([], ['2a00::1']),
        edgeAddresses: addresses([], ['2a00::1']),
        probes: [probe('2a00::1', RIGHT)],
      },
    ],
    [
      'has both families, written differently',
      {
        addresses: addresses(['8.8.4.4'], ['2a00:0:0::1']),
        edgeAddresses: addresses(['8.8.4.4'], ['2a00::1']),
        probes: [probe('2a00:0:0::1', RIGHT), probe('8.8.4.4', RIGHT)],
      },
    ],
    [
      'has IPv6 while this server has no route there',
      {
        addresses: addresses(['8.8.4.4'], ['2a00::1']),
        edgeAddresses: addresses(['8.8.4.4'], ['2a00::1']),
        probes: [probe('2a00::1', unreachable('no-route')), probe('8.8.4.4', RIGHT)],
      },
    ],
    [
      'has an IPv6 address that the edge has at other times, and it answers',
      {
        addresses: addresses(['8.8.4.4'], ['2a00::2']),
        probes: [probe('2a00::2', RIGHT), probe('8.8.4.4', RIGHT)],
      },
    ],
    [
      'answers on the port of the edge that port 80 is forwarded to',
      {
        probes: [probe('8.8.4.4', unreachable('refused'), RIGHT)],
      },
    ],
    ['is allowed by CAA further up', { caa: [caaAt('customer.com', 'issue', 'letsencrypt.org')] }],
    [
      'has CAA while the CA cannot say what it is called',
      {
        authorities: [],
        caa: [caaAt('customer.com', 'issue', 'other.example')],
      },
    ],
  ])('also when it %s', (_, over) => {
    expect(reasonFor(over)).toBeUndefined()
  })
})

describe('no CNAME', () => {
  const chain = { targets: [], end: 'complete' } as const

  it('is said, with the record to set', () => {
    expect(reasonFor({ chain, addresses: addresses([]), probes: [] })).toEqual({
      code: 'dns/no-cname',
      sentence: 'email.customer.com has no CNAME record.',
      fix: `Set this DNS record: ${SET_CNAME}`,
    })
  })

  it('names the addresses that are in its place', () => {
    expect(
      reasonFor({ chain, addresses: addresses(['9.9.9.9'], ['2a00::9']), probes: [] }),
    ).toEqual({
      code: 'dns/no-cname',
      sentence: 'email.customer.com has no CNAME record but 9.9.9.9, 2a00::9.',
      fix: `Replace its address records by this DNS record: ${SET_CNAME}`,
    })
  })

  it('names no more than eight of many addresses', () => {
    const many = Array.from({ length: 30 }, (_, index) => `9.9.9.${index}`)
    const reason = reasonFor({ chain, addresses: addresses(many), probes: [] })
    expect(reason?.sentence).toMatch(/ but 9\.9\.9\.0, .*, 9\.9\.9\.7 and 22 more\.$/)
  })

  it('is no CNAME although the address is ours', () => {
    const reason = reasonFor({ chain })
    expect(reason?.code).toBe('dns/no-cname')
    expect(reason?.sentence).toContain('points at edge.ours.net by address (8.8.4.4)')
  })

  it('is a proxy when the address is Cloudflare', () => {
    const reason = reasonFor({ chain, addresses: addresses(['104.16.1.1']), probes: [] })
    expect(reason?.code).toBe('dns/proxied')
    expect(reason?.sentence).toContain('104.16.1.1: a proxy (Cloudflare) stands in front')
    expect(reason?.fix).toContain('orange cloud')
  })

  it('is a proxy when a foreign address answers with our token', () => {
    const reason = reasonFor({
      chain,
      addresses: addresses(['9.9.9.9']),
      probes: [probe('9.9.9.9', RIGHT)],
    })
    expect(reason).toMatchObject({ code: 'dns/proxied' })
    expect(reason?.sentence).toContain('9.9.9.9: a proxy stands in front')
  })
})

describe('a CNAME that does not lead to us', () => {
  it('is shown with where it leads', () => {
    expect(reasonFor({ chain: { targets: ['a.test', 'b.test'], end: 'complete' } })).toEqual({
      code: 'dns/wrong-target',
      sentence: 'The CNAME leads email.customer.com → a.test → b.test, which is not edge.ours.net.',
      fix: `Change it to this DNS record: ${SET_CNAME}`,
    })
  })

  it('is explained when the DNS editor has appended the zone', () => {
    const targets = ['edge.ours.net.customer.com']
    expect(reasonFor({ chain: { targets, end: 'complete' } })?.fix).toContain('with a dot')
  })

  it.each([
    ['loop', 'dns/wrong-target', 'which is a circle'],
    ['too-long', 'dns/wrong-target', 'too long to follow'],
    ['nxdomain', 'dns/wrong-target', 'does not exist (NXDOMAIN)'],
    ['servfail', 'dns/servfail', 'The name servers of a.test failed (SERVFAIL)'],
    ['timeout', 'dns/servfail', 'The name servers of a.test did not answer in time'],
  ] as const)('is explained when the walk ends with %s', (end, code, words) => {
    const reason = reasonFor({ chain: { targets: ['a.test'], end } })
    expect(reason?.code).toBe(code)
    expect(reason?.sentence).toContain(words)
  })

  it('cannot write to a terminal what a stranger put into DNS', () => {
    const chain = { targets: ['\u001b[31mred\u202e.test'], end: 'complete' } as const
    expect(reasonFor({ chain })?.sentence).toMatch(/^[\x20-\x7e→]+$/)
  })
})

describe('DNS that does not answer', () => {
  it('is NXDOMAIN when the name does not exist', () => {
    expect(reasonFor({ chain: { targets: [], end: 'nxdomain' } })).toEqual({
      code: 'dns/nxdomain',
      sentence: 'email.customer.com does not exist in DNS (NXDOMAIN).',
      fix: `Create this DNS record: ${SET_CNAME}`,
    })
  })

  it('is SERVFAIL when the very name fails', () => {
    const reason = reasonFor({ chain: { targets: [], end: 'servfail' } })
    expect(reason?.sentence).toBe(
      'The name servers of email.customer.com failed (SERVFAIL) when asked for its CNAME records.',
    )
  })

  it.each([
    ['A', { a: { kind: 'servfail' }, aaaa: NONE }],
    ['AAAA', { a: found('8.8.4.4'), aaaa: { kind: 'timeout' } }],
  ] as const)('is SERVFAIL when only %s fails', (type, over) => {
    const reason = reasonFor({ addresses: over })
    expect(reason).toMatchObject({ code: 'dns/servfail' })
    expect(reason?.sentence).toContain(`when asked for its ${type} records`)
  })

  it('blames the edge name when that has no address', () => {
    const reason = reasonFor({ addresses: addresses([]), edgeAddresses: addresses([]) })
    expect(reason).toMatchObject({
      code: 'dns/nxdomain',
      sentence: 'email.customer.com leads to edge.ours.net, which has no address.',
    })
  })
})

describe('a left-over AAAA', () => {
  it('is named, because CAs try IPv6 first', () => {
    const reason = reasonFor({
      addresses: addresses(['8.8.4.4'], ['2a00::dead']),
      probes: [probe('2a00::dead', answered('<html>')), probe('8.8.4.4', RIGHT)],
    })
    expect(reason?.code).toBe('dns/leftover-aaaa')
    expect(reason?.fix).toBe('Remove this DNS record: email.customer.com. AAAA 2a00::dead')
  })
})

describe('CAA', () => {
  it('forbids, and the record to add is named', () => {
    expect(reasonFor({ caa: [caaAt('customer.com', 'issue', 'digicert.com')] })).toEqual({
      code: 'caa/forbids',
      sentence:
        'The CAA records of customer.com do not let Let\'s Encrypt issue a certificate: "digicert.com" is another CA.',
      fix: 'Add this DNS record: customer.com. CAA 0 issue "letsencrypt.org"',
    })
  })

  it('forbids by a critical record that nobody knows', () => {
    const reason = reasonFor({ caa: [caaAt('customer.com', 'futuristic', 'x', true)] })
    expect(reason).toMatchObject({
      code: 'caa/forbids',
      fix: 'Remove that CAA record from customer.com.',
    })
    const nameless = { caa: [caaAt('customer.com', 'futuristic', 'x', true)], authorities: [] }
    expect(reasonFor(nameless)?.sentence).toContain('let the certificate authority issue')
  })

  it('that does not answer stops every CA', () => {
    const caa: CaaLook[] = [{ name: 'customer.com', answer: { kind: 'servfail' } }]
    const reason = reasonFor({ caa })
    expect(reason?.code).toBe('dns/servfail')
    expect(reason?.sentence).toContain('customer.com failed (SERVFAIL) when asked for its CAA')
  })
})

describe('port 80', () => {
  it.each([
    ['refused', 'the connection was refused'],
    ['timeout', 'there was no answer in time'],
    ['reset', 'the connection was cut'],
    ['not-http', 'the answer was not HTTP'],
    ['tls', 'it redirects to https, and TLS failed there'],
    ['no-route', 'there is no route from here'],
    ['failed', 'the connection failed'],
  ] as const)('that cannot be reached is said to be so: %s', (why, words) => {
    const reason = reasonFor({ probes: [probe('8.8.4.4', unreachable(why))] })
    expect(reason?.code).toBe('http/unreachable')
    expect(reason?.sentence).toBe(
      `http://email.customer.com (8.8.4.4, port 80) cannot be reached: ${words}.`,
    )
    expect(reason?.fix).toContain('port 80 of 8.8.4.4')
  })

  it('that answers something else is shown, cleaned and cut', () => {
    const body = `<h1>Not\u0000 here</h1>\r\n\u001b]0;pwned\u0007${'x'.repeat(500)}`
    const reason = reasonFor({
      probes: [probe('8.8.4.4', answered(body, { status: 404, server: 'nginx' }))],
    })
    expect(reason?.code).toBe('http/wrong-answer')
    expect(reason?.sentence).toMatch(/answered 404 by "nginx" with "<h1>Not here<\/h1> /)
    expect(reason?.sentence).toMatch(/^[\x20-\x7e]{1,220}$/)
  })

  it('needs status 200 and nothing but the token', () => {
    for (const answer of [answered('token', { status: 203 }), answered('token and more')]) {
      expect(reasonFor({ probes: [probe('8.8.4.4', answer)] })?.code).toBe('http/wrong-answer')
    }
  })

  it('that redirects away is named with the destination', () => {
    const away: ProbeAnswer = {
      kind: 'redirected',
      status: 301,
      location: 'https://www.other.test/',
    }
    const reason = reasonFor({ probes: [probe('8.8.4.4', unreachable('refused'), away)] })
    expect(reason?.code).toBe('http/wrong-answer')
    expect(reason?.sentence).toContain('port 8080) redirects to https://www.other.test/')
  })

  it('must answer on every address', () => {
    const reason = reasonFor({
      addresses: addresses(['8.8.4.4', '9.9.9.9']),
      probes: [probe('8.8.4.4', RIGHT), probe('9.9.9.9', unreachable('timeout'))],
    })
    expect(reason?.sentence).toContain('(9.9.9.9, port 80)')
  })

  it('is not asked of private addresses that are not the edge', () => {
    const reason = reasonFor({ addresses: addresses(['10.0.0.5']), probes: [probe('10.0.0.5')] })
    expect(reason?.code).toBe('http/unreachable')
    expect(reason?.sentence).toContain('leads to 10.0.0.5, a private address')
  })

  it('is not taken for reached when nothing was probed', () => {
    expect(reasonFor({ probes: [] })?.sentence).toContain('leads to no address')
  })
})

describe('terms', () => {
  it('that were not agreed to come last, when all else is well', () => {
    expect(reasonFor({ terms: 'not-agreed' })).toMatchObject({
      code: 'term/not-agreed',
      fix: 'The operator must read them and set acme.agreeTerms to true.',
    })
    expect(reasonFor({ terms: 'not-agreed', authorities: [] })?.sentence).toContain(
      'the terms of the certificate authority',
    )
  })
})

describe('several CAs', () => {
  const authorities = [
    { name: 'one', caaIdentities: ['one.example'] },
    { name: 'two', caaIdentities: ['two.example'] },
  ]
  const allowedBy = (over: Partial<PreflightFacts>) => {
    const judgement = judgePreflight(facts({ authorities, ...over }))
    return judgement.kind === 'ready' ? judgement.allowedCas : judgement.reason
  }

  it('may all issue where no record says otherwise', () => {
    expect(allowedBy({})).toBeUndefined()
  })

  it('are left out where a record names only others of them', () => {
    expect(allowedBy({ caa: [caaAt('customer.com', 'issue', 'two.example')] })).toEqual(['two'])
  })

  it('are refused together, in the words of the preferred one, where none may issue', () => {
    const reason = allowedBy({ caa: [caaAt('customer.com', 'issue', 'three.example')] })
    expect(reason).toMatchObject({ code: 'caa/forbids' })
    expect(JSON.stringify(reason)).toContain('CAA 0 issue \\"one.example\\"')
  })
})
