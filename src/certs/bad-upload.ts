import { CertificateError, type ChainCheck } from './errors.ts'

/** What is wrong with a customer's own certificate, and what they can do about it. */
export function badUpload(
  check: ChainCheck,
  sentence: string,
  { fix, cause }: { readonly fix: string; readonly cause?: unknown },
): CertificateError {
  return new CertificateError('certs/bad-upload', sentence, { check, fix, cause })
}
