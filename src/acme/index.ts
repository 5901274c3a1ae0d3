/**
 * acme: gets certificates from a certificate authority by ACME (RFC 8555) and HTTP-01, each order
 * resumable after a kill at any moment. It does not look at DNS, does not decide when to ask, and
 * does not put a certificate to use.
 */
export { createIssuer, type IssuerDeps } from './create-issuer.ts'
export type { AcmeError, AcmeErrorCode } from './errors.ts'
export {
  type AcmeStatus,
  type Admission,
  type Authority,
  type AuthorityStatus,
  type CaHealth,
  type IssueNeed,
  type IssueOutcome,
  type Issuer,
  REVOCATION_REASONS,
  type RevocationOutcome,
  type RevocationReason,
  type WindowAnswer,
} from './issuer.ts'
export type { BudgetStatus, PausedName } from './ledger.ts'
export type { AcmeOptions } from './options.ts'
export type { Interval, RenewalCause, RenewalPlan } from './renewal-plan.ts'
