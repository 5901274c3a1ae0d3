import { createSecureContext } from 'node:tls'
import type { Hostname } from '../kernel/index.ts'
import type { Store } from '../store/index.ts'
import { badUpload } from './bad-upload.ts'
import { type Certificate, CUSTOMER, type VerifiedChain } from './certificate.ts'
import { verifyOwn } from './own-chain.ts'
import type { Pkcs12Files } from './pkcs12/pkcs12-files.ts'
import { type SavingDeps, saveVerified } from './saving.ts'
import { type CertificateUpload, readUpload } from './upload.ts'

/** A certificate that a customer brings for a host. */
export interface OwnCertificate {
  readonly hostname: Hostname
  readonly upload: CertificateUpload
}

interface ImportDeps extends SavingDeps {
  readonly store: Pick<Store, 'db'>
  readonly pkcs12: Pick<Pkcs12Files, 'read'>
}

export async function importOwn(
  { hostname, upload }: OwnCertificate,
  { store, pkcs12, ...deps }: ImportDeps,
): Promise<Certificate> {
  const { certificates, privateKey } = await readUpload(upload, pkcs12)
  const now = deps.clock.now()
  const verified = verifyOwn({ certificates, privateKey, hostname, now })
  const key = privateKey.export({ format: 'pem', type: 'pkcs8' })
  requireAcceptable(verified, key)
  return saveVerified(
    {
      ...{ hostname, verified, privateKey, source: CUSTOMER, askAt: undefined },
      // We do not; the column has to say when it would be too late.
      ...{ renewAt: verified.notAfter, renewBecause: 'owner-brings-the-next' },
    },
    store.db,
    deps,
  )
}

/** What OpenSSL would refuse in every edge worker is better refused here, where somebody reads it. */
function requireAcceptable({ chainPem }: VerifiedChain, key: string | Buffer): void {
  try {
    createSecureContext({ key, cert: chainPem })
  } catch (cause) {
    throw badUpload('accepted-by-openssl', 'The TLS library refuses this certificate.', {
      fix: 'Have it issued again, with an RSA key of 2048 bits or a P-256 key, and SHA-256.',
      cause,
    })
  }
}
