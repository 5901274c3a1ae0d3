/**
 * acme: gets certificates from a certificate authority by ACME (RFC 8555) and HTTP-01, each order
 * resumable after a kill at any moment. It does not look at DNS, does not decide when to ask, and
 * does not put a certificate to use.
 */
export {
  ACCOUNT_BUCKET,
  type BudgetVerdict,
  type FleetSize,
  judgeBudget,
  renewalsPerHour,
  roomFor,
  shapeOf,
  spendFrom,
} from './budget.ts'
export {
  type CaChoice,
  type CaCondition,
  type CaNeed,
  type CaStanding,
  chooseCa,
} from './ca-choice.ts'
export { certificateAuthoritiesOf, findCertificateAuthority } from './cas/list.ts'
export { createIssuer, type IssuerDeps } from './create-issuer.ts'
export type { AcmeError, AcmeErrorCode } from './errors.ts'
export { type Forecast, fleetOf, forecastRenewals, KNOWN_PROFILES } from './forecast.ts'
export type {
  AcmeStatus,
  Admission,
  Authority,
  AuthorityStatus,
  CaHealth,
  IssueNeed,
  IssueOutcome,
  Issuer,
  RevocationOutcome,
  RevocationReason,
  WindowAnswer,
} from './issuer.ts'
export type { BudgetStatus, PausedName } from './ledger.ts'
export { withLimits } from './limit-overrides.ts'
export type { CaLimits, OrderKind } from './limits.ts'
export type { AcmeOptions } from './options.ts'
export { type Interval, planRenewal, type RenewalCause, type RenewalPlan } from './renewal-plan.ts'
