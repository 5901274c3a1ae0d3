/**
 * edge: where visitors arrive. Speaks TLS with the certificate of the host that is asked for,
 * refuses what is not plainly right, answers ACME challenges, and passes the rest to the backend:
 * in this process, or the operator's. Decides nothing about certificates or hosts.
 */
export type {
  Backend,
  BackendTarget,
  EdgeRequest,
  EdgeResponse,
  LinkRescue,
  RescueRequest,
} from './backend/backend.ts'
export {
  type BackendAddress,
  formatBackendAddress,
  parseBackend,
} from './backend/backend-address.ts'
export { createEdge, type Edge, type EdgeAddresses, type EdgeBound, type EdgeDeps } from './edge.ts'
export type { EdgeError, EdgeErrorCode } from './errors.ts'
export {
  type BoundAddress,
  formatListenAddress,
  type ListenAddress,
  parseListenAddresses,
} from './listen/listen-address.ts'
export { type ListenHow, reserveAddresses } from './listen/listening.ts'
export { type Resources, readResources } from './listen/resources.ts'
export type { EdgeOptions } from './options.ts'
export type {
  CertificateSource,
  ChallengeAnswers,
  HostMembership,
  ServedCertificate,
  ShortageWatch,
} from './ports.ts'
export type { Visits } from './request/visits.ts'
export { createOwedSender, type OwedRequest, type OwedSender } from './rescue/owed-sender.ts'
export type { RehearsalOutcome } from './tls/self-handshake.ts'
export type { SelfTestFinding } from './tls/self-test.ts'
export type { TicketKey } from './tls/ticket-ring.ts'
