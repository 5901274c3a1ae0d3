/**
 * hosts: the names that customers point at us. `host` and `preflight` decide (pure), `host-table`
 * remembers, `directory` answers the edge's question "is this ours?". Nothing here asks DNS or a
 * CA: `lifecycle` does.
 */
export { type CaaAuthority, type CaaLook, judgeCaa } from './caa.ts'
export { type ClaimRecord, claimRecord, formatClaim, isProof } from './claim-record.ts'
export { createHostDirectory, type HostDirectory } from './directory.ts'
export { type FairShare, fairRank } from './fair-rank.ts'
export { moveHost } from './host.ts'
export type { AddedHost, NameWish } from './host-claims.ts'
export type { EndingHost, ExpiringHost, HostEnds, OverdueHost } from './host-ends.ts'
export { HostError, type HostErrorCode } from './host-error.ts'
export type { HostEvent, MoveContext } from './host-event.ts'
export type {
  HistoryDraft,
  HistoryEntry,
  HistoryOutcome,
  HistoryStep,
} from './host-history.ts'
export type { ClaimedHost, DueClaim, HostLeases, HostSaving, LeaseClaim } from './host-leases.ts'
export type { HostLeavers, LeaveClaim, LeavingHost } from './host-leavers.ts'
export {
  type CertificateLife,
  type Check,
  DEFAULT_ACCOUNT,
  type Host,
  type HostState,
  HTTPS_MARGIN,
  httpsEndsAt,
  isOver,
  isWaitingForCa,
  newHost,
} from './host-life.ts'
export { hasLeft } from './host-looks.ts'
export type { HistoryNotice, HostNotices } from './host-notices.ts'
export { paceOfRegularLooks } from './host-pace.ts'
export type { HostPage, HostQuery } from './host-page.ts'
export { AHEAD_MAX, type HostQueue, type QueueClaim } from './host-queue.ts'
export {
  createHostTable,
  type HostLifeKey,
  type HostTable,
  type SourceEvent,
} from './host-table.ts'
export { type ClaimJudgement, judgeClaim } from './judge-claim.ts'
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
export { createRecentVisits, type RecentVisits } from './recent-visits.ts'
export {
  type AddressSight,
  judgeRegularLook,
  leadsElsewhere,
  type RegularFacts,
  type RegularJudgement,
} from './regular-look.ts'
export {
  isDormant,
  isEndNear,
  isIdle,
  type UrgencyContext,
  type UrgencyHost,
  urgencyOf,
} from './urgency.ts'
