/**
 * The bytes of a sealed secret, version 1. Written down in certs-store/README.md; a change of one
 * byte needs a new version number, and version 1 must open for ever.
 */
import { type Brand, brand } from '../kernel/index.ts'
import { VaultError } from './errors.ts'

/** An envelope: safe to store and to copy, useless without the key-encryption key. */
export type SealedBytes = Brand<Buffer, 'SealedBytes'>

/** What AES-256-GCM made of a plain text. */
export interface GcmBox {
  readonly nonce: Buffer
  readonly tag: Buffer
  readonly cipherText: Buffer
}

/** An envelope taken apart. */
export interface Envelope {
  /** Which key-encryption key wraps the data key: 16 hexadecimal digits. */
  readonly keyId: string
  readonly wrappedKey: GcmBox
  readonly body: GcmBox
}

const ENVELOPE_VERSION = 1
export const KEY_ID_BYTES = 8
export const DATA_KEY_BYTES = 32
export const NONCE_BYTES = 12
export const TAG_BYTES = 16
/** Everything but the body. */
const OVERHEAD_BYTES =
  1 + KEY_ID_BYTES + NONCE_BYTES + DATA_KEY_BYTES + TAG_BYTES + NONCE_BYTES + TAG_BYTES

export function encodeEnvelope({ keyId, wrappedKey, body }: Envelope): SealedBytes {
  return brand<SealedBytes>(
    Buffer.concat([
      Buffer.from([ENVELOPE_VERSION]),
      Buffer.from(keyId, 'hex'),
      wrappedKey.nonce,
      wrappedKey.cipherText,
      wrappedKey.tag,
      body.nonce,
      body.tag,
      body.cipherText,
    ]),
  )
}

export function decodeEnvelope(sealed: SealedBytes): Envelope {
  let offset = 1
  const take = (bytes: number): Buffer => {
    offset += bytes
    return sealed.subarray(offset - bytes, offset)
  }
  const keyId = take(KEY_ID_BYTES).toString('hex')
  const wrappedKey = {
    nonce: take(NONCE_BYTES),
    cipherText: take(DATA_KEY_BYTES),
    tag: take(TAG_BYTES),
  }
  const body = { nonce: take(NONCE_BYTES), tag: take(TAG_BYTES), cipherText: take(sealed.length) }
  return { keyId, wrappedKey, body }
}

/**
 * Takes bytes from a row as an envelope. Throws `vault/cannot-open` for what cannot be one; whether
 * they were tampered with shows when they are opened.
 */
export function toSealedBytes(row: Buffer): SealedBytes {
  if (row.length === 0) {
    throw new VaultError('vault/cannot-open', 'The secret is gone: its row holds nothing.')
  }
  if (row[0] !== ENVELOPE_VERSION) {
    throw new VaultError('vault/cannot-open', `Envelope version ${row[0]} is not known here.`, {
      fix: 'Use the version of Postern that wrote it, or a newer one.',
    })
  }
  if (row.length < OVERHEAD_BYTES) {
    throw new VaultError('vault/cannot-open', `An envelope was cut short to ${row.length} bytes.`, {
      fix: 'Restore this row from a backup.',
    })
  }
  return brand<SealedBytes>(row)
}
