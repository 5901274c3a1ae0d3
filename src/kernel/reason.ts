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
  /** Another account had the name: DNS must show that the new one may have it. */
  | 'dns/claim-needed'
  /** What visitors get at the name is not the certificate we hold for it. */
  | 'https/wrong-certificate'
  /** The customer's own certificate ends, and nobody has brought the next. */
  | 'certificate/expiring'
  /** Its owner had the certificate revoked because the name is over: no other is asked for. */
  | 'certificate/revoked'
  /** It has a certificate, which not every edge worker serves yet. */
  | 'edge/not-serving'
  /** Something of ours broke while working on it. */
  | 'postern/internal'
  /** This machine's clock differs from the CA's: what looks due may not be. */
  | 'postern/clock-wrong'

/** A wait or a failure in two sentences: what was seen, and what to do about it. */
export interface Reason {
  readonly code: ReasonCode
  readonly sentence: string
  readonly fix: string
}
