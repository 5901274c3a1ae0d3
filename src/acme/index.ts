/**
 * acme: gets certificates from a certificate authority by ACME (RFC 8555) and HTTP-01, each order
 * resumable after a kill at any moment. It does not look at DNS, does not decide when to ask, and
 * does not put a certificate to use.
 */
export type { AcmeError, AcmeErrorCode } from './errors.ts'
export {
  type AcmeStatus,
  type Authority,
  type CaHealth,
  createIssuer,
  type IssueOutcome,
  type Issuer,
  type IssuerDeps,
} from './issuer.ts'
export type { AcmeOptions } from './options.ts'
