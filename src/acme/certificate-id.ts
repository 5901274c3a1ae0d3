/**
 * A certificate's name towards its CA (RFC 9773 §4.1). Reads just enough DER for it: node:crypto
 * tells neither the authority key identifier nor the serial number's own bytes.
 */
import { DER_TAGS } from '../kernel/index.ts'
import { parseChain } from '../net/index.ts'

/**
 * The unique identifier: authority key identifier and serial number, both base64url. `undefined` for
 * a certificate without such an identifier; for that, no CA can be asked.
 */
export function certificateIdOf(chainPem: string): string | undefined {
  const [leaf] = parseChain(chainPem)
  const parts = readCertificate(leaf.raw)
  if (!parts) return undefined
  const { keyIdentifier, serial } = parts
  return `${keyIdentifier.toString('base64url')}.${serial.toString('base64url')}`
}

interface Value {
  readonly tag: number
  readonly body: Buffer
}

/** Context-specific tags of TBSCertificate and AuthorityKeyIdentifier (RFC 5280 §4.1, §4.2.1.1). */
const EXTENSIONS = 0xa3
const KEY_IDENTIFIER = 0x80
/** 2.5.29.35, authorityKeyIdentifier. */
const AUTHORITY_KEY_IDENTIFIER = Buffer.from([0x55, 0x1d, 0x23])

function readCertificate(
  der: Buffer,
): { readonly keyIdentifier: Buffer; readonly serial: Buffer } | undefined {
  const [certificate] = valuesIn(der)
  const [signed] = certificate ? valuesIn(certificate.body) : []
  if (!signed) return undefined
  const fields = valuesIn(signed.body)
  // After the version, if there is one, which is in a context-specific tag of its own. A leading 00
  // belongs to the serial number.
  const serial = fields.find(({ tag }) => tag === DER_TAGS.integer)?.body
  const extensions = fields.find(({ tag }) => tag === EXTENSIONS)
  const [list] = extensions ? valuesIn(extensions.body) : []
  const keyIdentifier = list && keyIdentifierIn(list)
  return serial && keyIdentifier && { serial, keyIdentifier }
}

function keyIdentifierIn(extensions: Value): Buffer | undefined {
  for (const { body } of valuesIn(extensions.body)) {
    const [id, ...rest] = valuesIn(body)
    if (!id?.body.equals(AUTHORITY_KEY_IDENTIFIER)) continue
    const wrapped = rest.find(({ tag }) => tag === DER_TAGS.octetString)
    const [sequence] = wrapped ? valuesIn(wrapped.body) : []
    return sequence && valuesIn(sequence.body).find(({ tag }) => tag === KEY_IDENTIFIER)?.body
  }
  return undefined
}

/** The values that stand one after another. What is not DER ends the list: nothing is guessed. */
function valuesIn(der: Buffer): readonly Value[] {
  const values: Value[] = []
  let at = 0
  while (at + 2 <= der.length) {
    const tag = der.readUInt8(at)
    const { length, headerBytes } = lengthAt(der, at + 1)
    const end = at + 1 + headerBytes + length
    if (end > der.length) break
    values.push({ tag, body: der.subarray(at + 1 + headerBytes, end) })
    at = end
  }
  return values
}

/** Above this a first length byte says how many follow (X.690 §8.1.3). */
const LONG_FORM = 0x80
const LENGTH_BYTES_MAX = 4

function lengthAt(
  der: Buffer,
  at: number,
): { readonly length: number; readonly headerBytes: number } {
  const first = der.readUInt8(at)
  if (first < LONG_FORM) return { length: first, headerBytes: 1 }
  const count = first - LONG_FORM
  if (count === 0 || count > LENGTH_BYTES_MAX || at + 1 + count > der.length) {
    return { length: Number.POSITIVE_INFINITY, headerBytes: 1 }
  }
  return { length: der.readUIntBE(at + 1, count), headerBytes: 1 + count }
}
