/**
 * Writes PKCS#12 (RFC 7292): certificates and key under PBES2 (RFC 8018) with PBKDF2-HMAC-SHA-256
 * and AES-256-CBC, the whole under an HMAC-SHA-256. OpenSSL from 1.1, Windows from 10 1709 and macOS
 * from 13 read that. Written by hand because node-forge writes RSA keys alone.
 */
import { createCipheriv, createHmac, hash, pbkdf2Sync, randomBytes } from 'node:crypto'
import { DER_TAGS, der, derObjectIdentifier, derSequence, derUnsigned } from '../../kernel/index.ts'
import type { Pkcs12Job } from './pkcs12-job.ts'

/** Of each of the three derivations. Windows refuses files that ask for more than 600,000 in all. */
const ITERATIONS = 150_000
const SALT_BYTES = 16

export function writePkcs12({
  chain,
  keyDer,
  password,
  name,
}: Omit<Extract<Pkcs12Job, { kind: 'write' }>, 'kind'>): Uint8Array {
  // Ties the key to its certificate, among the others.
  const keyId = attribute(LOCAL_KEY_ID, der(DER_TAGS.octetString, Buffer.from([1])))
  const friendlyName = attribute(FRIENDLY_NAME, der(BMP_STRING, toBmp(name)))
  const certificates = chain.map((certificate, index) =>
    safeBag(CERTIFICATE_BAG, certificateBag(certificate), index === 0 ? [keyId, friendlyName] : []),
  )
  const { algorithm, encrypted } = encrypt(keyDer, password)
  const key = derSequence(algorithm, der(DER_TAGS.octetString, encrypted))
  keyDer.fill(0)
  const keys = [safeBag(SHROUDED_KEY_BAG, key, [keyId, friendlyName])]
  const safe = derSequence(
    encryptedContent(derSequence(...certificates), password),
    plainContent(derSequence(...keys)),
  )
  return derSequence(integer(3), plainContent(safe), macOf(safe, password))
}

const DATA = '1.2.840.113549.1.7.1'
const ENCRYPTED_DATA = '1.2.840.113549.1.7.6'
const SHROUDED_KEY_BAG = '1.2.840.113549.1.12.10.1.2'
const CERTIFICATE_BAG = '1.2.840.113549.1.12.10.1.3'
const X509_CERTIFICATE = '1.2.840.113549.1.9.22.1'
const FRIENDLY_NAME = '1.2.840.113549.1.9.20'
const LOCAL_KEY_ID = '1.2.840.113549.1.9.21'
const BMP_STRING = 0x1e
const NULL = der(0x05)

function plainContent(content: Buffer): Buffer {
  return derSequence(derObjectIdentifier(DATA), explicit(der(DER_TAGS.octetString, content)))
}

/** RFC 2315 §13. */
function encryptedContent(content: Buffer, password: string): Buffer {
  const { algorithm, encrypted } = encrypt(content, password)
  const body = derSequence(derObjectIdentifier(DATA), algorithm, der(0x80, encrypted))
  return derSequence(derObjectIdentifier(ENCRYPTED_DATA), explicit(derSequence(integer(0), body)))
}

function safeBag(kind: string, value: Buffer, attributes: readonly Buffer[]): Buffer {
  const tail = attributes.length === 0 ? [] : [der(DER_TAGS.set, ...attributes)]
  return derSequence(derObjectIdentifier(kind), explicit(value), ...tail)
}

function certificateBag(certificate: Uint8Array): Buffer {
  const value = explicit(der(DER_TAGS.octetString, certificate))
  return derSequence(derObjectIdentifier(X509_CERTIFICATE), value)
}

function attribute(kind: string, value: Buffer): Buffer {
  return derSequence(derObjectIdentifier(kind), der(DER_TAGS.set, value))
}

const PBES2 = '1.2.840.113549.1.5.13'
const PBKDF2 = '1.2.840.113549.1.5.12'
const HMAC_SHA256 = '1.2.840.113549.2.9'
const AES_256_CBC = '2.16.840.1.101.3.4.1.42'

function encrypt(
  plain: Uint8Array,
  password: string,
): { readonly algorithm: Buffer; readonly encrypted: Buffer } {
  const [salt, iv] = [randomBytes(SALT_BYTES), randomBytes(16)]
  const key = pbkdf2Sync(password, salt, ITERATIONS, 32, 'sha256')
  const cipher = createCipheriv('aes-256-cbc', key, iv)
  const encrypted = Buffer.concat([cipher.update(plain), cipher.final()])
  key.fill(0)
  const derivation = derSequence(
    derObjectIdentifier(PBKDF2),
    derSequence(
      der(DER_TAGS.octetString, salt),
      integer(ITERATIONS),
      derSequence(derObjectIdentifier(HMAC_SHA256), NULL),
    ),
  )
  const scheme = derSequence(derObjectIdentifier(AES_256_CBC), der(DER_TAGS.octetString, iv))
  const algorithm = derSequence(derObjectIdentifier(PBES2), derSequence(derivation, scheme))
  return { algorithm, encrypted }
}

const SHA256 = '2.16.840.1.101.3.4.2.1'

function macOf(content: Buffer, password: string): Buffer {
  const salt = randomBytes(SALT_BYTES)
  const digest = createHmac('sha256', macKey(password, salt)).update(content).digest()
  const algorithm = derSequence(derObjectIdentifier(SHA256), NULL)
  return derSequence(
    derSequence(algorithm, der(DER_TAGS.octetString, digest)),
    der(DER_TAGS.octetString, salt),
    integer(ITERATIONS),
  )
}

const SHA256_BLOCK_BYTES = 64
/** "This is for a MAC", in RFC 7292 appendix B.3. */
const MAC_PURPOSE = 3

/** RFC 7292 appendix B.2, of which one round is enough: the key is as long as the digest. */
function macKey(password: string, salt: Buffer): Buffer {
  const purpose = Buffer.alloc(SHA256_BLOCK_BYTES, MAC_PURPOSE)
  const secret = Buffer.concat([toBmp(password), Buffer.alloc(2)])
  let key = Buffer.concat([purpose, toBlocks(salt), toBlocks(secret)])
  for (let round = 0; round < ITERATIONS; round += 1) key = hash('sha256', key, 'buffer')
  return key
}

/** Repeated until it fills whole blocks. */
function toBlocks(bytes: Buffer): Buffer {
  const blocks = Math.ceil(bytes.length / SHA256_BLOCK_BYTES)
  return Buffer.alloc(blocks * SHA256_BLOCK_BYTES, bytes)
}

/** UTF-16, big-endian. */
function toBmp(text: string): Buffer {
  return Buffer.from(text, 'utf16le').swap16()
}

function explicit(value: Buffer): Buffer {
  return der(0xa0, value)
}

function integer(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return derUnsigned(bytes)
}
