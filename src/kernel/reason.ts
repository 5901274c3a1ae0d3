/** Why a host is not (or no longer) well, for its owner to read. Codes are stable. */
export type ReasonCode =
  | 'dns/no-cname'
  | 'dns/wrong-target'
  | 'dns/leftover-aaaa'
  | 'dns/servfail'
  | 'dns/nxdomain'
  | 'dns/proxied'
  | 'caa/forbids'
  | 'http/unreachable'
  | 'http/wrong-answer'
  | 'ca/rate-limited'
  | 'ca/paused'
  | 'ca/rejected'
  | 'ca/unavailable'
  | 'term/not-agreed'
  /** It has a certificate, which not every edge worker serves yet. */
  | 'edge/not-serving'
  /** Something of ours broke while working on it. */
  | 'postern/internal'

/** A wait or a failure in two sentences: what was seen, and what to do about it. */
export interface Reason {
  readonly code: ReasonCode
  readonly sentence: string
  readonly fix: string
}
