import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto'
import {
  DER_TAGS,
  der,
  derBitString,
  derObjectIdentifier,
  derSequence,
  derUnsigned,
} from '../../src/kernel/index.ts'

/** A CA of the tests' own: a root, an intermediate, and P-256 leaves made in a millisecond. */
export interface TestCa {
  readonly rootPem: string
  readonly intermediatePem: string
  /** A leaf with its chain, as an ACME CA would send it: leaf and intermediate, no root. */
  issue(hostname: string, wishes?: LeafWishes): IssuedCertificate
  /** A leaf for a key that is somebody else's, with its chain. */
  certify(publicKey: KeyObject, wishes: CertifyWishes): string
}

export type CertifyWishes = Pick<LeafWishes, 'names' | 'notBefore' | 'notAfter'>

export interface LeafWishes {
  /** Names in the certificate; `hostname` alone unless told otherwise. */
  readonly names?: readonly string[]
  readonly notBefore?: Date
  readonly notAfter?: Date
  /** Extended key usages; TLS server alone unless told otherwise. */
  readonly usages?: readonly string[]
  /** The key to certify, of any kind; a new P-256 one unless told otherwise. */
  readonly privateKey?: KeyObject
  /** What the CA signs with; SHA-256 unless told otherwise. */
  readonly digest?: 'sha256' | 'sha1'
}

export interface IssuedCertificate {
  readonly hostname: string
  /** Leaf, then intermediate. */
  readonly chainPem: string
  readonly leafPem: string
  readonly privateKey: KeyObject
  readonly keyPem: string
  readonly keyPkcs8Der: Buffer
  readonly serial: string
  readonly notBefore: Date
  readonly notAfter: Date
}

interface Authority {
  readonly name: string
  readonly key: KeyObject
  readonly pem: string
  readonly digest?: 'sha256' | 'sha1'
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/**
 * Makes a CA. Leaves are valid from an hour before `now` for 90 days, unless told otherwise; pass
 * the fake clock's time where there is one.
 */
export function createTestCa({ now = new Date() }: { readonly now?: Date } = {}): TestCa {
  const root = createAuthority('Postern Test Root')
  const intermediate = createAuthority('Postern Test Intermediate', root)
  return {
    rootPem: root.pem,
    intermediatePem: intermediate.pem,
    certify: (
      key,
      { names = [], notBefore = hoursFrom(now, -1), notAfter = hoursFrom(now, 2160) },
    ) =>
      certify(
        { subject: '', key, serial: newSerial(), notBefore, notAfter },
        leafExtensions(names, [SERVER_AUTHENTICATION]),
        intermediate,
      ) + intermediate.pem,
    issue: (hostname, wishes = {}) => {
      const privateKey = wishes.privateKey ?? newKey()
      const serial = newSerial()
      const notBefore = wishes.notBefore ?? new Date(now.getTime() - HOUR_MS)
      const notAfter = wishes.notAfter ?? new Date(now.getTime() + 90 * DAY_MS)
      const leafPem = certify(
        { subject: '', key: privateKey, serial, notBefore, notAfter },
        leafExtensions(wishes.names ?? [hostname], wishes.usages ?? [SERVER_AUTHENTICATION]),
        { ...intermediate, digest: wishes.digest ?? 'sha256' },
      )
      return {
        hostname,
        chainPem: leafPem + intermediate.pem,
        leafPem,
        privateKey,
        keyPem: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
        keyPkcs8Der: privateKey.export({ format: 'der', type: 'pkcs8' }),
        serial: serial.toString('hex').toUpperCase(),
        notBefore: wholeSeconds(notBefore),
        notAfter: wholeSeconds(notAfter),
      }
    },
  }
}

function hoursFrom(start: Date, hours: number): Date {
  return new Date(start.getTime() + hours * HOUR_MS)
}

/** A new P-256 private key. */
export function newKey(): KeyObject {
  const { privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { format: 'der', type: 'spki' },
    privateKeyEncoding: { format: 'der', type: 'pkcs8' },
  })
  return createPrivateKey({ key: privateKey, format: 'der', type: 'pkcs8' })
}

function createAuthority(name: string, parent?: Authority): Authority {
  const key = newKey()
  const validity = { notBefore: new Date('2020-01-01'), notAfter: new Date('2080-01-01') }
  const subject = { subject: name, key, serial: newSerial(), ...validity }
  return { name, key, pem: certify(subject, CA_EXTENSIONS, parent ?? { name, key, pem: '' }) }
}

interface Subject {
  readonly subject: string
  readonly key: KeyObject
  readonly serial: Buffer
  readonly notBefore: Date
  readonly notAfter: Date
}

/** Signs a TBSCertificate (RFC 5280 §4.1). */
function certify(subject: Subject, extensions: readonly Buffer[], issuer: Authority): string {
  const { digest = 'sha256' } = issuer
  const algorithm = derSequence(derObjectIdentifier(ECDSA_WITH[digest]))
  const body = derSequence(
    der(0xa0, derUnsigned(Buffer.from([2]))),
    derUnsigned(subject.serial),
    algorithm,
    distinguishedName(issuer.name),
    derSequence(time(subject.notBefore), time(subject.notAfter)),
    distinguishedName(subject.subject),
    publicKeyOf(subject.key),
    der(0xa3, derSequence(...extensions, ...keyIdentifiers(subject.key, issuer.key))),
  )
  const signature = sign(digest, body, issuer.key)
  return toPem(derSequence(body, algorithm, derBitString(signature)))
}

const ECDSA_WITH = { sha256: '1.2.840.10045.4.3.2', sha1: '1.2.840.10045.4.1' }

const SERVER_AUTHENTICATION = '1.3.6.1.5.5.7.3.1'

function leafExtensions(names: readonly string[], usages: readonly string[]): readonly Buffer[] {
  const generalNames = names.map((name) => der(0x82, Buffer.from(name)))
  return [
    // An empty subject makes the names critical (RFC 5280 §4.2.1.6).
    extension('2.5.29.17', derSequence(...generalNames), 'critical'),
    extension('2.5.29.15', der(DER_TAGS.bitString, Buffer.from([7, 0x80])), 'critical'),
    ...(usages.length === 0
      ? []
      : [extension('2.5.29.37', derSequence(...usages.map(derObjectIdentifier)), 'optional')]),
  ]
}

const CA_EXTENSIONS: readonly Buffer[] = [
  extension('2.5.29.19', derSequence(der(DER_TAGS.boolean, Buffer.from([0xff]))), 'critical'),
  extension('2.5.29.15', der(DER_TAGS.bitString, Buffer.from([1, 0x06])), 'critical'),
]

/** Tells apart authorities of the same name (RFC 5280 §4.2.1.1–2). */
function keyIdentifiers(subjectKey: KeyObject, issuerKey: KeyObject): readonly Buffer[] {
  const identifierOf = (key: KeyObject): Buffer =>
    createHash('sha1').update(publicKeyOf(key)).digest()
  const subject = der(DER_TAGS.octetString, identifierOf(subjectKey))
  const authority = derSequence(der(0x80, identifierOf(issuerKey)))
  return [
    extension('2.5.29.14', subject, 'optional'),
    extension('2.5.29.35', authority, 'optional'),
  ]
}

function extension(identifier: string, value: Buffer, weight: 'critical' | 'optional'): Buffer {
  const critical = weight === 'critical' ? [der(DER_TAGS.boolean, Buffer.from([0xff]))] : []
  return derSequence(derObjectIdentifier(identifier), ...critical, der(DER_TAGS.octetString, value))
}

function distinguishedName(commonName: string): Buffer {
  if (commonName === '') return derSequence()
  const value = der(DER_TAGS.utf8String, Buffer.from(commonName))
  return derSequence(der(DER_TAGS.set, derSequence(derObjectIdentifier('2.5.4.3'), value)))
}

function publicKeyOf(key: KeyObject): Buffer {
  return (key.type === 'public' ? key : createPublicKey(key)).export({
    format: 'der',
    type: 'spki',
  })
}

/** UTCTime until 2049, GeneralizedTime from then on (RFC 5280 §4.1.2.5). */
function time(at: Date): Buffer {
  const digits = at.toISOString().replaceAll(/[-:T]|\.\d+/g, '')
  if (at.getUTCFullYear() >= 2050) return der(DER_TAGS.generalizedTime, Buffer.from(digits))
  return der(UTC_TIME, Buffer.from(digits.slice(2)))
}

const UTC_TIME = 0x17

function wholeSeconds(at: Date): Date {
  return new Date(Math.floor(at.getTime() / 1000) * 1000)
}

function newSerial(): Buffer {
  const serial = randomBytes(16)
  // Positive and without leading zeros, so that it reads the same everywhere.
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40
  return serial
}

function toPem(certificate: Buffer): string {
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}
