import { strict as assert } from 'node:assert'
import { randomBytes } from 'node:crypto'
import { decryptAesGcm, encryptAesGcm } from './aes-gcm.ts'
import {
  DATA_KEY_BYTES,
  decodeEnvelope,
  type Envelope,
  encodeEnvelope,
  type SealedBytes,
} from './envelope.ts'
import { VaultError } from './errors.ts'
import { type KeyRing, keysOf } from './key-ring.ts'
import { contextToBytes, type SealContext } from './seal-context.ts'

/** Seals secrets for the database, and opens them again in the place they were sealed for. */
export interface Vault {
  /** Seals `plain` under a data key of its own, which the ring's current key wraps. */
  seal(plain: Uint8Array, context: SealContext): SealedBytes
  /**
   * Opens what was sealed for exactly this context; the caller zeroes the result. Throws
   * `vault/missing-key` for a key that the ring lacks, `vault/cannot-open` for anything altered.
   */
  open(sealed: SealedBytes, context: SealContext): Buffer
  /**
   * Wraps the data key anew with the ring's current key; the body stays as it is, byte for byte.
   * Throws like `open`. The caller replaces the old envelope only where it still finds it.
   */
  rewrap(sealed: SealedBytes, context: SealContext): Rewrapped
  /** Which key-encryption key an envelope needs. */
  keyIdOf(sealed: SealedBytes): string
  readonly currentKeyId: string
  /** Those that open, the current one first. */
  readonly keyIds: readonly string[]
}

export type Rewrapped =
  | { readonly kind: 'is-current' }
  | { readonly kind: 'rewrapped'; readonly sealed: SealedBytes }

/** Our secrets are keys of a few hundred bytes. The bound keeps a mistake from becoming a habit. */
const PLAIN_BYTES_MAX = 64 * 1024

/** Given a holder (`holdKeyRing`), the vault works with whatever ring it holds at the moment. */
export function createVault(keyRing: KeyRing): Vault {
  return {
    seal: (plain, context) => seal(plain, context, keyRing),
    open: (sealed, context) => open(sealed, context, keyRing),
    rewrap: (sealed, context) => rewrap(sealed, context, keyRing),
    keyIdOf: (sealed) => decodeEnvelope(sealed).keyId,
    get currentKeyId() {
      return keyRing.current.id
    },
    get keyIds() {
      return keysOf(keyRing).map(({ id }) => id)
    },
  }
}

function seal(plain: Uint8Array, context: SealContext, { current }: KeyRing): SealedBytes {
  assert(plain.length <= PLAIN_BYTES_MAX)
  const dataKey = randomBytes(DATA_KEY_BYTES)
  try {
    // The body's data does not name the wrapping key: rotation writes a new wrap and leaves it be.
    return encodeEnvelope({
      keyId: current.id,
      wrappedKey: encryptAesGcm(dataKey, current.key, contextToBytes('data-key', context)),
      body: encryptAesGcm(plain, dataKey, contextToBytes('body', context)),
    })
  } finally {
    dataKey.fill(0)
  }
}

function open(sealed: SealedBytes, context: SealContext, keyRing: KeyRing): Buffer {
  const envelope = decodeEnvelope(sealed)
  const dataKey = unwrap(envelope, context, keyRing)
  try {
    return decryptAesGcm(envelope.body, dataKey, contextToBytes('body', context))
  } catch (cause) {
    throw cannotOpen(context, cause)
  } finally {
    dataKey.fill(0)
  }
}

function rewrap(sealed: SealedBytes, context: SealContext, keyRing: KeyRing): Rewrapped {
  const { current } = keyRing
  const envelope = decodeEnvelope(sealed)
  if (envelope.keyId === current.id) return { kind: 'is-current' }
  const dataKey = unwrap(envelope, context, keyRing)
  try {
    const wrappedKey = encryptAesGcm(dataKey, current.key, contextToBytes('data-key', context))
    return {
      kind: 'rewrapped',
      sealed: encodeEnvelope({ keyId: current.id, wrappedKey, body: envelope.body }),
    }
  } finally {
    dataKey.fill(0)
  }
}

function unwrap({ keyId, wrappedKey }: Envelope, context: SealContext, keyRing: KeyRing): Buffer {
  const wrapping = keyRing.byId.get(keyId)
  if (!wrapping) {
    throw new VaultError(
      'vault/missing-key',
      `The ${context.purpose} of ${context.owner} is sealed with key ${keyId}, which is not at hand.`,
      { fix: 'Add that key to vault.key, after the one that seals.' },
    )
  }
  try {
    return decryptAesGcm(wrappedKey, wrapping.key, contextToBytes('data-key', context))
  } catch (cause) {
    throw cannotOpen(context, cause)
  }
}

function cannotOpen({ purpose, owner }: SealContext, cause: unknown): VaultError {
  return new VaultError(
    'vault/cannot-open',
    `The ${purpose} of ${owner} does not open: its bytes were altered or belong to another row.`,
    { cause, fix: 'Restore this row from a backup, or have the secret made anew.' },
  )
}
