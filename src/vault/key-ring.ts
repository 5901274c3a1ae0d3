import { strict as assert } from 'node:assert'
import { createHmac, createSecretKey, type KeyObject } from 'node:crypto'
import { KEY_ID_BYTES } from './envelope.ts'

/** One key-encryption key. Its id is derived from it, so a wrong key is noticed before it is used. */
export interface KeyEncryptionKey {
  /** 16 hexadecimal digits; says nothing about the key. */
  readonly id: string
  /** In OpenSSL's memory; prints as nothing. */
  readonly key: KeyObject
  /** Where it came from, for people: `file:certs-store/data/master.key`. */
  readonly source: string
}

/** The key-encryption keys at hand: the first one seals, all of them open. */
export interface KeyRing {
  readonly current: KeyEncryptionKey
  readonly byId: ReadonlyMap<string, KeyEncryptionKey>
}

/** A key ring as plain data, for another process of ours. Secret; the sender zeroes its copy. */
export interface ExportedKeyRing {
  readonly keys: readonly { readonly bytes: Uint8Array; readonly source: string }[]
}

export const KEY_BYTES = 32

/** Takes the key out of `bytes`, and leaves zeros there. */
export function toKeyEncryptionKey(bytes: Uint8Array, source: string): KeyEncryptionKey {
  assert(bytes.length === KEY_BYTES)
  const key = createSecretKey(bytes)
  bytes.fill(0)
  const id = createHmac('sha256', key).update('postern/key-id').digest()
  return { id: id.subarray(0, KEY_ID_BYTES).toString('hex'), key, source }
}

/** Joins keys to a ring; the first is the current one. A key given twice counts once. */
export function createKeyRing(keys: readonly KeyEncryptionKey[]): KeyRing {
  const [current] = keys
  assert(current)
  // Reversed, so that of two equal keys the first one's source is the one that is shown.
  return { current, byId: new Map([...keys].reverse().map((key) => [key.id, key])) }
}

/** For handing the keys to a worker process over IPC with structured cloning. */
export function exportKeyRing({ current, byId }: KeyRing): ExportedKeyRing {
  const others = [...byId.values()].filter(({ id }) => id !== current.id)
  return {
    keys: [current, ...others].map(({ key, source }) => ({ bytes: key.export(), source })),
  }
}

/** The other end of `exportKeyRing`. Zeroes what it was given. */
export function importKeyRing({ keys }: ExportedKeyRing): KeyRing {
  return createKeyRing(keys.map(({ bytes, source }) => toKeyEncryptionKey(bytes, source)))
}
