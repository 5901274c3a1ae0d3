import { createKeyRing, type KeyEncryptionKey, type KeyRing, keysOf } from './key-ring.ts'
import type { KeySourceAccess } from './key-sources/key-source.ts'
import { keySources } from './key-sources/key-sources.ts'
import { parseKeyText } from './key-text.ts'
import type { KeyAddress, VaultOptions } from './options.ts'

export interface OpenKeyRingDeps extends KeySourceAccess {
  /** The ring in use, when the keys are read again. */
  readonly inUse?: KeyRing | undefined
  readonly signal: AbortSignal
}

/**
 * Reads the keys from where `vault.key` says they are. Of these only the first may be made anew,
 * and only if `mayCreate`: a database that holds secrets needs the key it has.
 */
export async function openKeyRing(
  { key: addresses }: VaultOptions,
  { signal, inUse, ...access }: OpenKeyRingDeps,
): Promise<KeyRing> {
  const keys: KeyEncryptionKey[] = []
  for (const address of addresses) {
    const known = address.scheme === 'env' ? keysFrom(address, inUse) : []
    const mayCreate = access.mayCreate && keys.length === 0
    keys.push(
      ...(known.length > 0 ? known : await readKeys(address, { ...access, mayCreate }, signal)),
    )
  }
  return createKeyRing(keys)
}

/** A variable is gone once it was read, and nobody can change it from outside: it is still the same. */
function keysFrom(address: KeyAddress, inUse: KeyRing | undefined): readonly KeyEncryptionKey[] {
  const source = nameSource(address)
  return inUse ? keysOf(inUse).filter((key) => key.source === source) : []
}

async function readKeys(
  address: KeyAddress,
  access: KeySourceAccess,
  signal: AbortSignal,
): Promise<readonly KeyEncryptionKey[]> {
  const source = keySources.find(({ scheme }) => scheme === address.scheme)
  if (!source) throw new TypeError(`No key source is called ${address.scheme}.`)
  const text = await source.read(address.rest, access, signal)
  try {
    return parseKeyText(text, nameSource(address))
  } finally {
    text.fill(0)
  }
}

/** A command may hold a secret of its own, and is long; the others are worth showing. */
function nameSource({ scheme, rest }: KeyAddress): string {
  return scheme === 'command' ? 'command' : `${scheme}:${rest}`
}
