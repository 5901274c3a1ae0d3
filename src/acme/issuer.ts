import type { Certificate } from '../certs/index.ts'
import type { Duration, Hostname, Reason, Urgency } from '../kernel/index.ts'
import type { BudgetStatus, PausedName } from './ledger.ts'
import type { Interval, RenewalPlan } from './renewal-plan.ts'

/** Gets certificates from the CAs of `acme.ca`, and knows which of them may be asked for what. */
export interface Issuer {
  /**
   * Gets a certificate for a name that is known to point at us, going on with an order that was left
   * open. Saved and verified, but not yet served. What CAs refuse is a value; throws only the
   * signal's reason and what store and vault throw.
   */
  issue(need: IssueNeed, signal: AbortSignal): Promise<IssueOutcome>
  /** Says without asking any CA whether `issue` may be called now. */
  admit(need: IssueNeed): Promise<Admission>
  /** How many orders of this urgency could be placed now, 0 to 1,000, where they would be placed. */
  room(urgency: Urgency): Promise<number>
  /** The CAs in order of preference: for judging CAA records. Asks each at most once a day. */
  authorities(): Promise<readonly Authority[]>
  /** Asks the certificate's CA when it should be renewed (RFC 9773). Never throws for what a CA does. */
  askWindow(certificate: Certificate, signal: AbortSignal): Promise<WindowAnswer>
  /** When to renew it, by our term. Draws anew at each call: see `planRenewal`. */
  plan(certificate: Certificate, window: Interval | undefined): RenewalPlan
  /**
   * Ends what CAs know of a host that leaves: open orders, and authorizations that would let them
   * issue for it without another look. May run again. Throws an AcmeError if a CA cannot be asked now.
   */
  leave(hostname: Hostname, signal: AbortSignal): Promise<void>
  /** Revokes it at its CA. Throws only the signal's reason and what store and vault throw. */
  revoke(
    certificate: Certificate,
    reason: RevocationReason,
    signal: AbortSignal,
  ): Promise<RevocationOutcome>
  /** How far our clock is ahead of the CA's (behind it, if negative); `undefined`: nobody said. */
  clockSkew(): Duration | undefined
  /** CAs, accounts, budgets and open orders, for people. */
  describe(): Promise<AcmeStatus>
  /** Asks each CA for its directory now, in order of preference. */
  checkHealth(signal: AbortSignal): Promise<readonly CaHealth[]>
  /** Forgets what is too old to matter: orders that ended long ago, full buckets. From time to time. */
  sweep(): Promise<void>
}

/** Which certificate is needed, and how much. */
export interface IssueNeed {
  readonly hostname: Hostname
  readonly urgency: Urgency
  /** Names of the CAs that CAA records allow; `undefined`: all. */
  readonly allowedCas?: readonly string[] | undefined
  /** The certificate in use. */
  readonly replacing?: Certificate | undefined
  /** Since when the host has been ready for a CA. */
  readonly waitingSince: Date
  /**
   * When a person asked for a new certificate. One that waits to be put to use, and was there before,
   * is not what they mean; and a pause that they may have lifted is tried at once.
   */
  readonly askedAt?: Date | undefined
}

export type IssueOutcome =
  | { readonly kind: 'issued'; readonly certificate: Certificate }
  | {
      readonly kind: 'refused'
      readonly reason: Reason
      /** When the CA says that it makes sense to ask again, and up to a minute later. */
      readonly retryAt?: Date | undefined
      readonly orderUrl?: string | undefined
    }
  /** Others were faster, and took what there was of the budget that all hosts share. */
  | { readonly kind: 'queued'; readonly reason: Reason }

export type Admission =
  | { readonly kind: 'go' }
  /** The budget that all hosts share is empty: `room` tells when there is some. */
  | { readonly kind: 'queue'; readonly reason: Reason }
  /** This name has to wait. */
  | { readonly kind: 'wait'; readonly reason: Reason; readonly until: Date }

export type WindowAnswer =
  | {
      readonly kind: 'window'
      readonly window: Interval
      /** A page of the CA's about why it suggests this. */
      readonly explanationUrl?: string | undefined
      /** When to ask again. */
      readonly askAt: Date
    }
  /** No answer, which says nothing against an earlier one. No `askAt`: it makes no sense to ask. */
  | { readonly kind: 'none'; readonly askAt: Date | undefined }

/** The reasons that CAs take from us (RFC 5280 §5.3.1; Let's Encrypt takes no other). */
export type RevocationReason =
  | 'unspecified'
  | 'keyCompromise'
  | 'superseded'
  | 'cessationOfOperation'

export type RevocationOutcome =
  | { readonly kind: 'revoked' }
  | { readonly kind: 'refused'; readonly reason: Reason }

export interface Authority {
  readonly name: string
  readonly directoryUrl: string
  /** Its names in CAA records; none if it does not tell. */
  readonly caaIdentities: readonly string[]
  readonly accountUrl?: string | undefined
}

export interface AcmeStatus {
  /** The preferred one. */
  readonly authority: Authority
  /** All of `acme.ca`, in order of preference. */
  readonly authorities: readonly AuthorityStatus[]
  readonly accounts: readonly {
    readonly directoryUrl: string
    readonly url?: string | undefined
    readonly createdAt: Date
  }[]
  /** The oldest ones, at most 1,000. */
  readonly openOrders: readonly {
    readonly hostname: string
    readonly state: string
    readonly url?: string | undefined
    readonly problem?: string | undefined
    readonly createdAt: Date
  }[]
}

export interface AuthorityStatus extends Authority {
  /** `held`: it has told all of us to wait. */
  readonly health: 'up' | 'down' | 'held'
  readonly heldUntil?: Date | undefined
  readonly why?: string | undefined
  readonly budgets: readonly BudgetStatus[]
  /** The profile that orders ask for. */
  readonly profile?: string | undefined
  /** Names for which nothing is ordered until a person has looked; the latest, at most 100. */
  readonly pausedNames: readonly PausedName[]
}

export type CaHealth =
  | {
      readonly kind: 'reachable'
      readonly name: string
      readonly caDate: Date | undefined
      /** Where its terms of service are. */
      readonly terms?: string | undefined
      /** Why it will not serve us as we are set up. */
      readonly obstacle?: { readonly reason: string; readonly fix: string } | undefined
    }
  | {
      readonly kind: 'unreachable'
      readonly name: string
      readonly reason: string
      readonly fix: string | undefined
    }
