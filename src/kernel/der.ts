/**
 * Writing DER (X.690 §10), the little that certificate requests and test certificates need.
 * Reading it is left to node:crypto.
 */

/** Tags of X.690 §8: the universal ones by name; context-specific ones are `0x80 | n`, `0xa0 | n`. */
export const DER_TAGS = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const

/** One value: tag, length, and the contents one after another. */
export function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(contents)
  return Buffer.concat([Buffer.from([tag]), derLength(body.length), body])
}

/** A SEQUENCE of values that are encoded already. */
export function derSequence(...values: readonly Uint8Array[]): Buffer {
  return der(DER_TAGS.sequence, ...values)
}

/** An OBJECT IDENTIFIER from its dotted form. */
export function derObjectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const bytes = [first * 40 + second, ...rest.flatMap(toBase128)]
  return der(DER_TAGS.objectIdentifier, Buffer.from(bytes))
}

/** A BIT STRING of whole octets. */
export function derBitString(octets: Uint8Array): Buffer {
  return der(DER_TAGS.bitString, Buffer.from([0]), octets)
}

/** An INTEGER that is not negative, given big-endian. */
export function derUnsigned(bigEndian: Uint8Array): Buffer {
  const start = bigEndian.findIndex((octet) => octet !== 0)
  const digits = start < 0 ? Buffer.from([0]) : bigEndian.subarray(start)
  const sign = (digits[0] ?? 0) >= 0x80 ? Buffer.from([0]) : Buffer.alloc(0)
  return der(DER_TAGS.integer, sign, digits)
}

function derLength(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length])
  const hex = length.toString(16)
  const octets = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
  return Buffer.concat([Buffer.from([0x80 | octets.length]), octets])
}

/** Seven bits per octet, most significant first, all but the last marked (X.690 §8.19.2). */
function toBase128(value: number): readonly number[] {
  const octets = [value % 128]
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) {
    octets.unshift((rest % 128) | 0x80)
  }
  return octets
}
