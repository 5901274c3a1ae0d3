import { VaultError } from './errors.ts'
import {
  createKeyRing,
  KEY_BYTES,
  type KeyEncryptionKey,
  type KeyRing,
  toKeyEncryptionKey,
} from './key-ring.ts'
import type { KeySourceAccess } from './key-sources/key-source.ts'
import { keySources } from './key-sources/key-sources.ts'
import type { KeyAddress, VaultOptions } from './options.ts'

export interface OpenKeyRingDeps extends KeySourceAccess {
  readonly signal: AbortSignal
}

/**
 * Reads the keys from where `vault.key` says they are. Of these only the first may be made anew,
 * and only if `mayCreate`: a database that holds secrets needs the key it has.
 */
export async function openKeyRing(
  { key: addresses }: VaultOptions,
  { signal, ...access }: OpenKeyRingDeps,
): Promise<KeyRing> {
  const keys: KeyEncryptionKey[] = []
  for (const address of addresses) {
    const mayCreate = access.mayCreate && keys.length === 0
    keys.push(await readKey(address, { ...access, mayCreate }, signal))
  }
  return createKeyRing(keys)
}

async function readKey(
  { scheme, rest }: KeyAddress,
  access: KeySourceAccess,
  signal: AbortSignal,
): Promise<KeyEncryptionKey> {
  const source = keySources.find((one) => one.scheme === scheme)
  if (!source) throw new TypeError(`No key source is called ${scheme}.`)
  const text = await source.read(rest, access, signal)
  try {
    // A command may hold a secret of its own, and is long; the others are worth showing.
    const shown = scheme === 'command' ? 'command' : `${scheme}:${rest}`
    return toKeyEncryptionKey(parseKeyText(text, shown), shown)
  } finally {
    text.fill(0)
  }
}

const HEXADECIMAL = /^[0-9a-f]{64}$/i
/** 32 bytes: 43 digits, of which the last carries four bits, and padding for those who want it. */
const BASE64 = /^[A-Za-z0-9+/_-]{42}[AEIMQUYcgkosw048]=?$/

function parseKeyText(text: Buffer, source: string): Buffer {
  const trimmed = text.toString('latin1').trim()
  if (HEXADECIMAL.test(trimmed)) return Buffer.from(trimmed, 'hex')
  if (BASE64.test(trimmed)) return Buffer.from(trimmed, 'base64')
  throw new VaultError(
    'vault/bad-key',
    `What ${source} gives is not a key of ${KEY_BYTES} bytes in base64 or hexadecimal.`,
    { fix: 'Make one with: openssl rand -base64 32' },
  )
}
