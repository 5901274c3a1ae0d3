/**
 * certs: the certificates we hold. Verifies what a CA sent before it is used, keeps it with its key
 * sealed, and hands the edge a TLS context per host. Asks no CA and decides no renewal.
 */
export type { ServedContext } from './build-context.ts'
export {
  type Certificate,
  CUSTOMER,
  type IssuedChain,
  type RenewalWindow,
  type VerifiedChain,
  verifyIssued,
} from './certificate.ts'
export { type CertificateCache, createCertificateCache } from './certificate-cache.ts'
export type { CertificateCounts, SourceCount } from './certificate-counts.ts'
export type { CertificatePage, PageWishes } from './certificate-page.ts'
export { type CertificateStore, createCertificateStore } from './certificate-store.ts'
export { CertificateError, type CertificateErrorCode, type ChainCheck } from './errors.ts'
export type { ExpiringOwn } from './expiring-own.ts'
export type { OwnCertificate } from './import-own.ts'
export { createRehearsalContexts, type RehearsalContexts } from './rehearsal-contexts.ts'
export type { CertificatePlan, RenewalHour } from './renewal-questions.ts'
export type { CertificateDraft, StoreTransaction } from './saving.ts'
export type { CertificateUpload } from './upload.ts'
