import type { Random } from '../kernel/index.ts'
import type { SealContext, SealedBytes, Vault } from '../vault/index.ts'
import { SIGNING_KEY_BYTES, signingKeyText } from './signature.ts'

/** Makes a key for an account's webhook: sealed for the store, as text for the receiver. */
export function makeSigningKey(
  { vault, random }: { readonly vault: Pick<Vault, 'seal'>; readonly random: Random },
  account: string,
): { readonly sealed: SealedBytes; readonly text: string } {
  const bytes = random.bytes(SIGNING_KEY_BYTES)
  try {
    return { sealed: vault.seal(bytes, contextOf(account)), text: signingKeyText(bytes) }
  } finally {
    bytes.fill(0)
  }
}

/** The caller zeroes the result. Throws what the vault throws. */
export function openSigningKey(
  vault: Pick<Vault, 'open'>,
  account: string,
  sealed: SealedBytes,
): Buffer {
  return vault.open(sealed, contextOf(account))
}

function contextOf(account: string): SealContext {
  return { purpose: 'webhook-key', owner: account, version: 1 }
}
