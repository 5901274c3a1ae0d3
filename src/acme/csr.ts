/**
 * PKCS #10 certificate requests (RFC 2986) for one name. Not done: subjects, other extensions than
 * subjectAltName. The subject stays empty, because a common name must not be longer than 64
 * characters (RFC 5280, upper bounds) and a tracking host may be.
 */
import { createPublicKey, type KeyObject, sign } from 'node:crypto'
import {
  DER_TAGS,
  der,
  derBitString,
  derObjectIdentifier,
  derSequence,
  derUnsigned,
  type Hostname,
} from '../kernel/index.ts'

const EXTENSION_REQUEST = derObjectIdentifier('1.2.840.113549.1.9.14')
const SUBJECT_ALT_NAME = derObjectIdentifier('2.5.29.17')
const ECDSA_WITH_SHA256 = derSequence(derObjectIdentifier('1.2.840.10045.4.3.2'))

/** Makes the request for `hostname`, signed by its P-256 key, in DER. */
export function createCsr(hostname: Hostname, privateKey: KeyObject): Buffer {
  const dnsName = der(0x82, Buffer.from(hostname, 'ascii')) // GeneralName [2]
  const altNames = der(DER_TAGS.octetString, derSequence(dnsName))
  const extensions = derSequence(derSequence(SUBJECT_ALT_NAME, altNames))
  const request = derSequence(
    derUnsigned(Buffer.from([0])), // version 1
    derSequence(), // no subject
    createPublicKey(privateKey).export({ type: 'spki', format: 'der' }),
    der(0xa0, derSequence(EXTENSION_REQUEST, der(DER_TAGS.set, extensions))), // attributes [0]
  )
  return derSequence(request, ECDSA_WITH_SHA256, derBitString(sign('sha256', request, privateKey)))
}
