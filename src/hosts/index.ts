/**
 * hosts: the names that customers point at us. `host` and `preflight` decide (pure), `host-table`
 * remembers, `directory` answers the edge's question "is this ours?". Nothing here asks DNS or a
 * CA: `lifecycle` does.
 */
export type { CaaAuthority, CaaLook } from './caa.ts'
export { createHostDirectory, type HostDirectory } from './directory.ts'
export {
  type CertificateLife,
  type Check,
  type Host,
  type HostEvent,
  type HostState,
  HTTPS_MARGIN,
  httpsEndsAt,
  isWaitingForCa,
  moveHost,
  newHost,
} from './host.ts'
export { HostError, type HostErrorCode } from './host-error.ts'
export type {
  HistoryDraft,
  HistoryEntry,
  HistoryOutcome,
  HistoryStep,
} from './host-history.ts'
export type { ClaimedHost, DueClaim, HostLeases, HostSaving, LeaseClaim } from './host-leases.ts'
export type { HostPage, HostQuery } from './host-page.ts'
export {
  type AddedHost,
  createHostTable,
  type EndingHost,
  type HostTable,
} from './host-table.ts'
export {
  type AddressAnswers,
  type AddressProbe,
  type CnameChain,
  isExpectedAnswer,
  judgePreflight,
  type PortAnswer,
  type PreflightFacts,
  type PreflightJudgement,
} from './preflight.ts'
