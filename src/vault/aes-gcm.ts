/** AES-256-GCM (NIST SP 800-38D) with 96-bit random nonces and whole 128-bit tags, nothing else. */
import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto'
import { type GcmBox, NONCE_BYTES, TAG_BYTES } from './envelope.ts'

const CIPHER = 'aes-256-gcm'
// Said explicitly: Node would otherwise accept tags of 4 bytes when decrypting.
const OPTIONS = { authTagLength: TAG_BYTES } as const

export function encryptAesGcm(
  plain: Uint8Array,
  key: KeyObject | Uint8Array,
  authenticated: Uint8Array,
): GcmBox {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv(CIPHER, key, nonce, OPTIONS).setAAD(authenticated)
  const cipherText = Buffer.concat([cipher.update(plain), cipher.final()])
  return { nonce, tag: cipher.getAuthTag(), cipherText }
}

/** Returns a buffer of its own, for the caller to zero; throws when anything was changed. */
export function decryptAesGcm(
  box: GcmBox,
  key: KeyObject | Uint8Array,
  authenticated: Uint8Array,
): Buffer {
  const decipher = createDecipheriv(CIPHER, key, box.nonce, OPTIONS)
    .setAAD(authenticated)
    .setAuthTag(box.tag)
  // GCM is a stream: update gives everything, final only verifies. Not joined, so that no second
  // copy of the secret stays behind.
  const plain = decipher.update(box.cipherText)
  try {
    decipher.final()
  } catch (error) {
    plain.fill(0)
    throw error
  }
  return plain
}
