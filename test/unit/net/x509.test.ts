import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Hostname, parseHostname } from '../../../src/kernel/index.ts'
import { issuerName, NetError, parseChain, sanHolds } from '../../../src/net/index.ts'
import { createTestCa } from '../../support/certificates.ts'

const host = (name: string): Hostname => parseHostname(name) as Hostname
const ca = createTestCa()

describe('a PEM chain', () => {
  it('is read in its order, whatever text surrounds the certificates', () => {
    const issued = ca.issue('email.customer.test')
    const [leaf, intermediate] = parseChain(`subject=...\n${issued.chainPem}\ntrailing`)
    expect(leaf.serialNumber).toBe(issued.serial)
    expect(issuerName(leaf)).toBe('Postern Test Intermediate')
    expect(intermediate && issuerName(intermediate)).toBe('Postern Test Root')
    expect(leaf.validToDate).toEqual(issued.notAfter)
  })

  it.each([
    ['nothing', ''],
    ['a web page', '<html><body>502 Bad Gateway</body></html>'],
    ['an empty certificate', '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n'],
    ['base64 of something else', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'],
    ['far too many certificates', ca.rootPem.repeat(9)],
  ])('is refused when it is %s', (_, pem) => {
    expect(() => parseChain(pem)).toThrow(NetError)
  })

  it('built by the tests themselves satisfies openssl', () => {
    const folder = mkdtempSync(join(tmpdir(), 'postern-x509-'))
    try {
      const { leafPem } = ca.issue('email.customer.test')
      const write = (name: string, pem: string): string => {
        writeFileSync(join(folder, name), pem)
        return join(folder, name)
      }
      const verdict = execFileSync('openssl', [
        ...['verify', '-x509_strict', '-purpose', 'sslserver', '-partial_chain'],
        ...['-verify_hostname', 'email.customer.test', '-CAfile', write('root.pem', ca.rootPem)],
        ...['-untrusted', write('intermediate.pem', ca.intermediatePem)],
        write('leaf.pem', leafPem),
      ])
      expect(verdict.toString()).toContain('OK')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe('the names of a certificate', () => {
  const [leaf] = parseChain(
    ca.issue('a.test.example', { names: ['a.test.example', '*.b.example'] }).chainPem,
  )

  it.each([
    ['a.test.example', true],
    ['x.b.example', true],
    ['b.example', false],
    ['x.y.b.example', false],
    ['test.example', false],
    ['xa.test.example', false],
  ])('hold %s: %s', (name, expected) => {
    expect(sanHolds(leaf, host(name))).toBe(expected)
  })
})
