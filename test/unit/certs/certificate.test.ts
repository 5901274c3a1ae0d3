import { describe, expect, it } from 'vitest'
import { CertificateError, type IssuedChain, verifyIssued } from '../../../src/certs/index.ts'
import { type Hostname, parseHostname } from '../../../src/kernel/index.ts'
import { createTestCa, type LeafWishes, newKey } from '../../support/certificates.ts'

const now = new Date('2026-11-22T12:00:00Z')
const minutesFromNow = (minutes: number): Date => new Date(now.getTime() + minutes * 60_000)
const hostname = parseHostname('email.customer.test') as Hostname
const ca = createTestCa({ now })
const issued = ca.issue(hostname)
const good: IssuedChain = {
  chainPem: issued.chainPem,
  privateKey: issued.privateKey,
  hostname,
  now,
}

function checkThatFails(change: Partial<IssuedChain>): string | undefined {
  try {
    verifyIssued({ ...good, ...change })
  } catch (error) {
    if (error instanceof CertificateError && error.code === 'certs/unusable') return error.check
    throw error
  }
  return undefined
}

function issuedWith(wishes: LeafWishes): Partial<IssuedChain> {
  const { chainPem } = ca.issue(hostname, { privateKey: issued.privateKey, ...wishes })
  return { chainPem }
}

describe('an issued certificate', () => {
  it('that is right is taken, as certificates and nothing else', () => {
    const chainPem = `Subject: x\r\n${issued.chainPem.replaceAll('\n', '\r\n')}<!-- bye -->`
    expect(verifyIssued({ ...good, chainPem })).toEqual({
      chainPem: issued.chainPem,
      serial: issued.serial,
      issuer: 'Postern Test Intermediate',
      notBefore: issued.notBefore,
      notAfter: issued.notAfter,
      keyType: 'ec',
    })
  })

  it('may bring the root along, and be valid from up to an hour ahead of our clock', () => {
    expect(checkThatFails({ chainPem: issued.chainPem + ca.rootPem })).toBeUndefined()
    expect(checkThatFails(issuedWith({ notBefore: minutesFromNow(60) }))).toBeUndefined()
    expect(checkThatFails(issuedWith({ notAfter: minutesFromNow(1) }))).toBeUndefined()
    expect(checkThatFails(issuedWith({ usages: [] }))).toBeUndefined()
  })

  const otherCa = createTestCa({ now })
  const block = (body: string): string =>
    `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`

  it.each<[string, string, Partial<IssuedChain>]>([
    ['empty', 'readable', { chainPem: '' }],
    ['a web page', 'readable', { chainPem: '<html>502 Bad Gateway</html>' }],
    ['of 10 MB', 'size', { chainPem: issued.chainPem + ' '.repeat(10_000_000) }],
    ['with more links than any chain has', 'readable', { chainPem: ca.rootPem.repeat(9) }],
    ['cut off', 'readable', { chainPem: issued.chainPem.slice(0, 300) }],
    ['of rubbish', 'readable', { chainPem: block('AAAA') + ca.intermediatePem }],
    ['with its private key', 'no-private-key', { chainPem: issued.chainPem + issued.keyPem }],
    ['for another key', 'key-matches', { privateKey: newKey() }],
    ['for another host', 'names-host', issuedWith({ names: ['email.other.test'] })],
    ['for no host', 'names-host', issuedWith({ names: [] })],
    ['for the domain above', 'names-host', issuedWith({ names: ['customer.test'] })],
    ['for clients', 'for-servers', issuedWith({ usages: ['1.3.6.1.5.5.7.3.2'] })],
    ['expired', 'in-validity', issuedWith({ notAfter: now })],
    ['from the future', 'in-validity', issuedWith({ notBefore: minutesFromNow(61) })],
    ['without its issuer', 'complete', { chainPem: issued.leafPem }],
    ['with its issuer first', 'key-matches', { chainPem: ca.intermediatePem + issued.leafPem }],
    [
      'with root and intermediate swapped',
      'links',
      { chainPem: issued.leafPem + ca.rootPem + ca.intermediatePem },
    ],
    ['with a link missing', 'links', { chainPem: issued.leafPem + ca.rootPem }],
    [
      'with the issuer of another CA, of the same name',
      'links',
      { chainPem: issued.leafPem + otherCa.intermediatePem },
    ],
    ['with a leaf for an issuer', 'links', { chainPem: issued.leafPem.repeat(2) }],
  ])('%s is refused (%s)', (_, check, change) => {
    expect(checkThatFails(change)).toBe(check)
  })

  it('is refused when one bit of it was flipped, or is what it was', () => {
    const der = Buffer.from(issued.leafPem.replaceAll(/-----.*-----|\n/g, ''), 'base64')
    const accepted = Array.from({ length: der.length }, (_, at) => at).filter((at) => {
      const flipped = Buffer.from(der)
      flipped[at] = (flipped[at] ?? 0) ^ 1
      const chainPem = block(flipped.toString('base64')) + ca.intermediatePem
      return checkThatFails({ chainPem }) === undefined
    })
    expect(accepted).toEqual([])
  })
})
