/**
 * certs: the certificates we hold. Verifies what a CA sent before it is used, keeps it with its key
 * sealed, and hands the edge a TLS context per host. Asks no CA and decides no renewal.
 */
export {
  type Certificate,
  type IssuedChain,
  type VerifiedChain,
  verifyIssued,
} from './certificate.ts'
export { type CertificateCache, createCertificateCache } from './certificate-cache.ts'
export type { CertificatePage, PageWishes } from './certificate-page.ts'
export {
  type CertificateCounts,
  type CertificateDraft,
  type CertificateStore,
  createCertificateStore,
  type StoreTransaction,
} from './certificate-store.ts'
export type { ServedContext } from './context-loader.ts'
export { CertificateError, type CertificateErrorCode, type ChainCheck } from './errors.ts'
