import { createSecureContext, type SecureContext } from 'node:tls'
import type { Hostname } from '../kernel/index.ts'
import { contextCiphers } from '../net/index.ts'
import type { ServedCertificateRow } from '../store/index.ts'
import { toSealedBytes, type Vault } from '../vault/index.ts'
import { keyContext } from './certificate-row.ts'

/** A certificate ready to be served: OpenSSL holds its key. */
export interface ServedContext {
  readonly context: SecureContext
  readonly certificateId: string
  readonly serial: string
  readonly notAfter: Date
  /** Served until it is replaced, as an expired one is: a link must not break. */
  readonly isRevoked: boolean
}

/** Throws when the row was altered: another host's key, a key of another certificate, no PEM. */
export function buildContext(
  row: ServedCertificateRow,
  hostname: Hostname,
  vault: Pick<Vault, 'open'>,
): ServedContext {
  const keyPem = vault.open(toSealedBytes(row.sealed_key), keyContext(hostname, row.id))
  try {
    return {
      // Never `ca`: three certificates there cost 18 KB and 160 µs each time.
      context: createSecureContext({
        key: keyPem,
        cert: row.chain_pem,
        ciphers: contextCiphers(row.key_type === 'rsa' ? 'rsa' : 'ec'),
      }),
      certificateId: row.id,
      serial: row.serial,
      notAfter: new Date(row.not_after),
      isRevoked: row.revoked_at !== null,
    }
  } finally {
    keyPem.fill(0)
  }
}
