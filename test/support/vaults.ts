import { createVault, importKeyRing, type KeyRing, type Vault } from '../../src/vault/index.ts'

/** A key ring of keys that are one repeated byte each: the first seals. */
export function aKeyRing(...fill: readonly number[]): KeyRing {
  const bytes = fill.length === 0 ? [7] : fill
  return importKeyRing({
    keys: bytes.map((byte) => ({ bytes: new Uint8Array(32).fill(byte), source: `test:${byte}` })),
  })
}

/** A real vault with a key of no secrecy. */
export function aVault(): Vault {
  return createVault(aKeyRing())
}
