import { strict as assert } from 'node:assert'
import { createHmac, createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
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

/**
 * The ring in use, which may be replaced at any moment: whoever reads it next, reads the new one.
 * Everything that is given the holder in the place of a ring sees the change at once.
 */
export interface KeyRingHolder extends KeyRing {
  replace(keyRing: KeyRing): void
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

/** Makes a new key. */
export function drawKey(source: string): KeyEncryptionKey {
  return toKeyEncryptionKey(randomBytes(KEY_BYTES), source)
}

/** Joins keys to a ring; the first is the current one. A key given twice counts once. */
export function createKeyRing(keys: readonly KeyEncryptionKey[]): KeyRing {
  const [current] = keys
  assert(current)
  const byId = new Map<string, KeyEncryptionKey>()
  for (const key of keys) if (!byId.has(key.id)) byId.set(key.id, key)
  return { current, byId }
}

/** The same keys, of which the named one seals. It must be among them. */
export function sealingWith({ byId }: KeyRing, keyId: string): KeyRing {
  const current = byId.get(keyId)
  assert(current)
  return createKeyRing([current, ...byId.values()])
}

/** The keys of both rings; the first one's current key seals. */
export function joinKeyRings(first: KeyRing, second: KeyRing): KeyRing {
  return createKeyRing([...keysOf(first), ...keysOf(second)])
}

/** Its keys, the one that seals before all others. */
export function keysOf({ current, byId }: KeyRing): readonly KeyEncryptionKey[] {
  return [current, ...[...byId.values()].filter(({ id }) => id !== current.id)]
}

export function holdKeyRing(first: KeyRing): KeyRingHolder {
  let held = first
  return {
    get current() {
      return held.current
    },
    get byId() {
      return held.byId
    },
    replace: (keyRing) => {
      // Not a holder in turn: this one must not change with that one.
      held = { current: keyRing.current, byId: keyRing.byId }
    },
  }
}

/** For handing the keys to a worker process over IPC with structured cloning. */
export function exportKeyRing(keyRing: KeyRing): ExportedKeyRing {
  return {
    keys: keysOf(keyRing).map(({ key, source }) => ({ bytes: key.export(), source })),
  }
}

/** The other end of `exportKeyRing`. Zeroes what it was given. */
export function importKeyRing({ keys }: ExportedKeyRing): KeyRing {
  return createKeyRing(keys.map(({ bytes, source }) => toKeyEncryptionKey(bytes, source)))
}
