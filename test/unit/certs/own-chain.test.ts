import { execFileSync } from 'node:child_process'
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { CertificateError } from '../../../src/certs/index.ts'
import { type OwnChain, verifyOwn } from '../../../src/certs/own-chain.ts'
import { type Hostname, parseHostname } from '../../../src/kernel/index.ts'
import { parseChain } from '../../../src/net/index.ts'
import { createTestCa, type LeafWishes, newKey } from '../../support/certificates.ts'

const now = new Date('2026-11-22T12:00:00Z')
const daysFromNow = (days: number): Date => new Date(now.getTime() + days * 86_400_000)
const hostname = parseHostname('email.customer.test') as Hostname
const ca = createTestCa({ now })
const otherCa = createTestCa({ now })
const issued = ca.issue(hostname)

const own = (pem: string, privateKey: KeyObject = issued.privateKey): OwnChain => ({
  certificates: parseChain(pem),
  ...{ privateKey, hostname, now },
})

function ownWith(wishes: LeafWishes): OwnChain {
  const one = ca.issue(hostname, wishes)
  return own(one.chainPem, one.privateKey)
}

function refusalOf(chain: OwnChain): CertificateError {
  try {
    verifyOwn(chain)
  } catch (error) {
    if (error instanceof CertificateError && error.code === 'certs/bad-upload') return error
    throw error
  }
  throw new Error('It was accepted')
}

// Made once: RSA keys take a while.
const rsa = rsaKey(2048)

describe("a customer's own certificate", () => {
  it('that is right is taken, leaf first and without the root', () => {
    const verified = verifyOwn(own(issued.chainPem + ca.rootPem))
    expect(verified).toEqual({
      chainPem: issued.chainPem,
      serial: issued.serial,
      issuer: 'Postern Test Intermediate',
      notBefore: issued.notBefore,
      notAfter: issued.notAfter,
      keyType: 'ec',
    })
  })

  it.each([
    ['the wrong way round', ca.rootPem + ca.intermediatePem + issued.leafPem],
    ['twice', issued.chainPem + issued.chainPem],
    ['among strangers', otherCa.intermediatePem + issued.chainPem + otherCa.rootPem],
  ])('is put in order when it comes %s', (_, pem) => {
    expect(verifyOwn(own(pem)).chainPem).toBe(issued.chainPem)
  })

  it('may have an RSA key, a P-384 key, or a wildcard for its name', () => {
    expect(verifyOwn(ownWith({ privateKey: rsa })).keyType).toBe('rsa')
    expect(verifyOwn(ownWith({ privateKey: ecKey('P-384') })).keyType).toBe('ec')
    expect(verifyOwn(ownWith({ names: ['*.customer.test'] })).keyType).toBe('ec')
  })

  it('that was renewed with the same key is the one that lasts longest, and names the host', () => {
    const { privateKey } = issued
    const older = ca.issue(hostname, { privateKey, notAfter: daysFromNow(10) })
    const elsewhere = ca.issue('www.customer.test', { privateKey, notAfter: daysFromNow(300) })
    const pem = older.leafPem + elsewhere.leafPem + issued.chainPem
    expect(verifyOwn(own(pem)).serial).toBe(issued.serial)
  })

  it.each<[string, string, OwnChain]>([
    ['for another key', 'key-matches', own(issued.chainPem, newKey())],
    ['for another host', 'names-host', ownWith({ names: ['a.other.test', 'b.other.test'] })],
    ['for no host', 'names-host', ownWith({ names: [] })],
    ['for the domain above', 'names-host', ownWith({ names: ['customer.test'] })],
    ['for a wildcard of two levels', 'names-host', ownWith({ names: ['*.test'] })],
    ['for a part of a label', 'names-host', ownWith({ names: ['e*.customer.test'] })],
    ['for clients', 'for-servers', ownWith({ usages: ['1.3.6.1.5.5.7.3.2'] })],
    ['that expired', 'in-validity', ownWith({ notAfter: daysFromNow(-1) })],
    ['of tomorrow', 'in-validity', ownWith({ notBefore: daysFromNow(1) })],
    ['without its issuer', 'complete', own(issued.leafPem)],
    ['with the issuer of another CA', 'complete', own(issued.leafPem + otherCa.intermediatePem)],
    ['signed with SHA-1', 'signatures', ownWith({ digest: 'sha1' })],
    ['with an RSA key of 1024 bits', 'key-strength', ownWith({ privateKey: rsaKey(1024) })],
    ['with an RSA key of 4160 bits', 'key-strength', ownWith({ privateKey: rsaKey(4160) })],
    ['with a secp256k1 key', 'key-strength', ownWith({ privateKey: ecKey('secp256k1') })],
    ['with a P-521 key', 'key-strength', ownWith({ privateKey: ecKey('P-521') })],
    ['with an Ed25519 key', 'key-strength', ownWith({ privateKey: ed25519Key() })],
  ])('%s is refused (%s), with what helps', (_, check, chain) => {
    const refusal = refusalOf(chain)
    expect(refusal.check).toBe(check)
    expect(refusal.fix).toMatch(/^[A-Z].*\.$/)
    expect(refusal.message).toMatch(/^[A-Z].*\.$/)
  })

  it('says which names it is for, which issuer is missing, and when it ended', () => {
    const names = Array.from({ length: 7 }, (_, index) => `h${index}.other.test`)
    expect(refusalOf(ownWith({ names })).message).toBe(
      'The certificate is for h0.other.test, h1.other.test, h2.other.test, h3.other.test, ' +
        'h4.other.test and 2 more, not for email.customer.test.',
    )
    expect(refusalOf(own(issued.leafPem)).message).toBe(
      'The intermediate certificate of Postern Test Intermediate is missing.',
    )
    expect(refusalOf(ownWith({ notAfter: new Date('2026-11-01T10:00:00Z') })).message).toBe(
      'The certificate expired on 2026-11-01.',
    )
    expect(refusalOf(ownWith({ privateKey: rsaKey(1024) })).message).toContain('RSA with 1024 bits')
  })

  it("that is a CA's, or signed by itself, is refused", () => {
    const [authority, itself] = [selfSigned('CA:TRUE'), selfSigned('CA:FALSE')]
    expect(refusalOf(own(authority.pem, authority.key)).check).toBe('for-servers')
    expect(refusalOf(own(itself.pem, itself.key))).toMatchObject({
      ...{ check: 'complete', message: expect.stringContaining('signed by itself') },
    })
  })
})

/** Made by OpenSSL: our own CA signs nothing with a leaf's key. */
function selfSigned(constraints: string): { readonly pem: string; readonly key: KeyObject } {
  const text = execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-subj', '/CN=itself', '-addext', `basicConstraints=critical,${constraints}`],
      ...['-addext', `subjectAltName=DNS:${hostname}`, '-keyout', '-', '-out', '-'],
    ],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  ).toString()
  return { pem: text, key: createPrivateKey(text) }
}

function rsaKey(modulusLength: number): KeyObject {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength,
    publicKeyEncoding: { format: 'der', type: 'spki' },
    privateKeyEncoding: { format: 'der', type: 'pkcs8' },
  })
  return importable(privateKey)
}

function ecKey(namedCurve: string): KeyObject {
  const { privateKey } = generateKeyPairSync('ec', {
    namedCurve,
    publicKeyEncoding: { format: 'der', type: 'spki' },
    privateKeyEncoding: { format: 'der', type: 'pkcs8' },
  })
  return importable(privateKey)
}

function ed25519Key(): KeyObject {
  const { privateKey } = generateKeyPairSync('ed25519', {
    publicKeyEncoding: { format: 'der', type: 'spki' },
    privateKeyEncoding: { format: 'der', type: 'pkcs8' },
  })
  return importable(privateKey)
}

function importable(key: Buffer): KeyObject {
  return createPrivateKey({ key, format: 'der', type: 'pkcs8' })
}
