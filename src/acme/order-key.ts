import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { type SealContext, type SealedBytes, toSealedBytes, type Vault } from '../vault/index.ts'

/** Whose key it is: an order's, until the certificate store seals it anew as a certificate's. */
export interface OrderKeyOwner {
  readonly hostname: string
  readonly id: string
}

/** Makes the P-256 key of a certificate to come. A key serves one certificate, and no account. */
export function createOrderKey(
  owner: OrderKeyOwner,
  vault: Pick<Vault, 'seal'>,
): { readonly key: KeyObject; readonly sealedKey: SealedBytes } {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const plain = exportKey(privateKey)
  try {
    return { key: privateKey, sealedKey: vault.seal(plain, orderKeyContext(owner)) }
  } finally {
    plain.fill(0)
  }
}

/** Opens it again. Throws what the vault throws, `vault/cannot-open` for one that was destroyed. */
export function openOrderKey(
  owner: OrderKeyOwner & { readonly sealedKey: Buffer },
  vault: Pick<Vault, 'open'>,
): KeyObject {
  const plain = vault.open(toSealedBytes(owner.sealedKey), orderKeyContext(owner))
  try {
    return createPrivateKey({ key: plain, type: 'pkcs8', format: 'der' })
  } finally {
    plain.fill(0)
  }
}

/** PKCS#8 in DER; the caller zeroes it. */
export function exportKey(key: KeyObject): Buffer {
  return key.export({ type: 'pkcs8', format: 'der' })
}

function orderKeyContext({ hostname, id }: OrderKeyOwner): SealContext {
  return { purpose: 'certificate-key', owner: `${hostname}/order/${id}`, version: 1 }
}
