/**
 * Reads PKCS#12 (RFC 7292) with node-forge, which still knows what old tools wrote: RC2, 3DES, BER.
 * Not read: files that are protected by public keys, and MACs by PBKDF2 (RFC 9579).
 */
import { pbkdf2Sync } from 'node:crypto'
import forge from 'node-forge'
import type { Pkcs12Answer } from './pkcs12-job.ts'

/** A chain has two or three; a trust store that was exported along has hundreds. */
const CERTIFICATES_MAX = 16

type Bag = forge.pkcs12.Bag

export function readPkcs12({
  file,
  password,
}: {
  readonly file: Uint8Array
  readonly password: string
}): Pkcs12Answer {
  const asn1 = failing(() => parse(file))
  if (!asn1) return { kind: 'refused', why: 'not-pkcs12' }
  const work = { isTooMuch: false }
  adaptForge(work)
  // An empty password and none at all are two things to those who write such files.
  const opened =
    failing(() => forge.pkcs12.pkcs12FromAsn1(asn1, false, password)) ??
    (password === '' ? failing(() => forge.pkcs12.pkcs12FromAsn1(parse(file), false)) : undefined)
  if (work.isTooMuch) return { kind: 'refused', why: 'too-slow' }
  if (!opened) return { kind: 'refused', why: 'not-opened' }
  return contentOf(opened.safeContents.flatMap(({ safeBags }) => safeBags))
}

function contentOf(bags: readonly Bag[]): Pkcs12Answer {
  const [key, ...otherKeys] = bags.filter(({ type }) => KEY_BAGS.has(type))
  const certificates = bags.filter(({ type }) => type === CERTIFICATE_BAG)
  if (!key) return { kind: 'refused', why: 'no-key' }
  if (otherKeys.length > 0) return { kind: 'refused', why: 'several-keys' }
  if (certificates.length === 0) return { kind: 'refused', why: 'no-certificate' }
  if (certificates.length > CERTIFICATES_MAX) {
    return { kind: 'refused', why: 'too-many-certificates' }
  }
  return { kind: 'opened', keyDer: toDer(key), certificates: certificates.map(toDer) }
}

const KEY_BAGS = new Set(['1.2.840.113549.1.12.10.1.1', '1.2.840.113549.1.12.10.1.2'])
const CERTIFICATE_BAG = '1.2.840.113549.1.12.10.1.3'

function parse(file: Uint8Array): forge.asn1.Asn1 {
  return forge.asn1.fromDer(forge.util.createBuffer(Buffer.from(file).toString('latin1')))
}

function toDer({ asn1 }: Bag): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(forge.asn1.toDer(asn1).getBytes(), 'latin1'))
}

/** node-forge throws plain errors of many words for what it cannot read; to us there is one answer. */
function failing<Result>(read: () => Result): Result | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof Error) return undefined
    throw error
  }
}

/** openssl writes 2,048 and careful people 600,000; ten million take some seconds. */
const ITERATIONS_MAX = 10_000_000

type Pbkdf2Arguments = readonly [
  password: string | undefined,
  salt: string,
  iterations: number,
  bytes: number,
  digest: forge.md.MessageDigest,
]

/**
 * Makes node-forge hand out certificates and keys as they were written: it knows no EC keys, and
 * what it has read it does not write alike. Its key derivation takes passwords for Latin-1, and a
 * hundred times as long as OpenSSL's. All of it for this thread alone.
 */
function adaptForge(work: { isTooMuch: boolean }): void {
  const asItIs = (): never => {
    throw new TypeError('Not read by node-forge')
  }
  Object.assign(forge.pki, { privateKeyFromAsn1: asItIs, certificateFromAsn1: asItIs })
  Object.assign(forge.pkcs5, {
    pbkdf2: (...[password, salt, iterations, bytes, { algorithm }]: Pbkdf2Arguments): string => {
      // It cannot be interrupted.
      work.isTooMuch ||= iterations > ITERATIONS_MAX
      if (work.isTooMuch) throw new RangeError('Too many iterations')
      const binarySalt = Buffer.from(salt, 'latin1')
      return pbkdf2Sync(password ?? '', binarySalt, iterations, bytes, algorithm).toString('latin1')
    },
  })
}
