import { describe, expect, it } from 'vitest'
import { type CaaLook, judgeCaa } from '../../../src/hosts/caa.ts'
import type { DnsAnswer } from '../../../src/net/index.ts'

const LE = {
  name: "Let's Encrypt",
  caaIdentities: ['letsencrypt.org'],
  accountUrl: 'https://acme.example/acct/1',
}
const issue = (...values: readonly string[]): CaaLook => ({
  name: 'customer.com',
  answer: {
    kind: 'found',
    records: values.map((value) => ({ critical: false, tag: 'issue', value })),
  },
})
const at = (name: string, answer: CaaLook['answer']): CaaLook => ({ name, answer })
const NONE: DnsAnswer<never> = { kind: 'none' }

describe('the climb', () => {
  it('ends at the first name with records, however lax those above are', () => {
    const verdict = judgeCaa(
      [at('a.b.c', NONE), issue('other.example'), issue('letsencrypt.org')],
      LE,
    )
    expect(verdict).toMatchObject({ kind: 'forbidden', at: 'customer.com' })
  })

  it('goes past names that do not exist', () => {
    const looks = [at('a.b.c', { kind: 'nxdomain' }), issue('letsencrypt.org')]
    expect(judgeCaa(looks, LE).kind).toBe('allowed')
  })

  it('finds nothing, and that allows everybody', () => {
    expect(judgeCaa([at('a.b.c', NONE)], LE)).toEqual({ kind: 'allowed', because: 'no CAA record' })
  })

  it.each(['servfail', 'timeout'] as const)('stops where servers give %s', (how) => {
    const looks = [at('a.b.c', NONE), at('b.c', { kind: how }), issue('letsencrypt.org')]
    expect(judgeCaa(looks, LE)).toEqual({ kind: 'unanswered', at: 'b.c', how })
  })

  it('does not care about servers above the records', () => {
    const looks = [issue('letsencrypt.org'), at('com', { kind: 'servfail' })]
    expect(judgeCaa(looks, LE).kind).toBe('allowed')
  })
})

describe('an issue record', () => {
  it.each([
    ['letsencrypt.org'],
    ['LetsEncrypt.ORG'],
    [' letsencrypt.org ; '],
    ['letsencrypt.org; validationmethods=dns-01,http-01'],
    ['letsencrypt.org;accounturi=https://acme.example/acct/1'],
    ['letsencrypt.org; AccountURI = https://acme.example/acct/1 ; validationmethods=http-01'],
    ['letsencrypt.org; something=else'],
    ['letsencrypt.org; something='],
  ])('allows: %s', (value) => {
    expect(judgeCaa([issue(value)], LE).kind).toBe('allowed')
  })

  it.each([
    [';', 'forbids every CA'],
    ['', 'forbids every CA'],
    ['digicert.com', 'is another CA'],
    ['letsencrypt.org.evil.example', 'is another CA'],
    ['letsencrypt.org; accounturi=https://acme.example/acct/2', 'is for another account'],
    ['letsencrypt.org; accounturi=a; accounturi=b', 'names several accounts'],
    ['letsencrypt.org; validationmethods=dns-01', 'does not allow HTTP-01'],
    ['letsencrypt.org; nonsense', 'cannot be read'],
    ['lets encrypt.org', 'cannot be read'],
  ])('does not allow: "%s"', (value, because) => {
    const verdict = judgeCaa([issue(value)], LE)
    expect(verdict).toMatchObject({ kind: 'forbidden' })
    expect(verdict.kind === 'forbidden' && verdict.because).toContain(because)
  })

  it('is enough among others', () => {
    expect(judgeCaa([issue('digicert.com', 'letsencrypt.org')], LE)).toEqual({
      kind: 'allowed',
      because: '"letsencrypt.org" at customer.com',
    })
  })

  it('may name an account as long as ours does not exist', () => {
    const { accountUrl: _, ...young } = LE
    const look = issue('letsencrypt.org; accounturi=https://acme.example/acct/2')
    expect(judgeCaa([look], young).kind).toBe('allowed')
  })

  it('cannot be judged for a CA that does not say what it is called', () => {
    const nameless = { ...LE, caaIdentities: [] }
    expect(judgeCaa([issue('digicert.com')], nameless).kind).toBe('allowed')
    expect(judgeCaa([issue('digicert.com')], undefined).kind).toBe('allowed')
  })
})

describe('other tags', () => {
  const record = (tag: string, critical: boolean): CaaLook =>
    at('customer.com', { kind: 'found', records: [{ critical, tag, value: 'x' }] })

  it('do not restrict names without a wildcard', () => {
    expect(judgeCaa([record('iodef', true)], LE).kind).toBe('allowed')
    expect(judgeCaa([record('issuewild', false)], LE).kind).toBe('allowed')
    expect(judgeCaa([record('futuristic', false)], LE).kind).toBe('allowed')
  })

  it('stop every CA when critical and unknown', () => {
    expect(judgeCaa([record('futuristic', true)], LE)).toMatchObject({
      kind: 'forbidden',
      because: 'a critical record with the unknown tag "futuristic"',
    })
  })
})
