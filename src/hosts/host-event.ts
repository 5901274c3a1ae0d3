import type { Duration, Random, Reason, Urgency } from '../kernel/index.ts'
import type { CertificateLife, Check } from './host-life.ts'

type Life = CertificateLife | undefined

/** What can happen to a host. `life` is that of the certificate served now. */
export type HostEvent =
  | { readonly kind: 'check-asked' }
  | { readonly kind: 'renewal-asked' }
  /** Another time was planned for it, for other reasons. */
  | { readonly kind: 'renewal-moved'; readonly renewAt: Date; readonly urgency: Urgency }
  /** DNS shows that a name which another account had may be this one's. */
  | { readonly kind: 'proven' }
  | { readonly kind: 'ready'; readonly checks: readonly Check[] }
  | {
      readonly kind: 'not-ready'
      readonly reason: Reason
      readonly checks: readonly Check[]
      readonly life: Life
      /** DNS gives a definite answer, and that leads elsewhere. */
      readonly isAway?: boolean | undefined
    }
  /** A regular look, at which there was nothing to do. */
  | { readonly kind: 'looked'; readonly checks: readonly Check[]; readonly life: CertificateLife }
  /** The same, but what visitors get is not the certificate that we hold. */
  | {
      readonly kind: 'mismatched'
      readonly reason: Reason
      readonly checks: readonly Check[]
      readonly life: CertificateLife
    }
  /**
   * The same, but there is no certificate that would do, and no CA is to be asked for one: its
   * owner's is over, or was revoked because the name is.
   */
  | { readonly kind: 'lacking'; readonly reason: Reason; readonly checks: readonly Check[] }
  /** It is certain that DNS leads elsewhere. */
  | { readonly kind: 'left'; readonly reason: Reason; readonly checks: readonly Check[] }
  /** The last certificate of a host that has left is over. */
  | { readonly kind: 'ended' }
  | {
      readonly kind: 'refused'
      readonly reason: Reason
      /** When the CA says it makes sense to come back. */
      readonly retryAt: Date | undefined
      readonly life: Life
    }
  /** Ready, but the budget that all share has no room: roughly until then. */
  | {
      readonly kind: 'queued'
      readonly reason: Reason
      readonly until: Date
      readonly life: Life
    }
  /** It is nobody's fault, and nothing was tried. */
  | {
      readonly kind: 'held'
      readonly reason: Reason
      readonly until: Date | undefined
      readonly life: Life
    }
  /** The next certificate is there, and is put to use then. */
  | { readonly kind: 'soaking'; readonly until: Date; readonly life: CertificateLife }
  /** The certificate is there, but not every edge worker serves it yet. */
  | { readonly kind: 'not-served'; readonly reason: Reason; readonly life: CertificateLife }
  | { readonly kind: 'served'; readonly life: CertificateLife }
  /** Something of ours broke while working on it. */
  | { readonly kind: 'failed'; readonly reason: Reason }
  | { readonly kind: 'https-ending' }
  /** The certificate is over, and whatever the host waits for has not come. */
  | { readonly kind: 'expired'; readonly reason: Reason }
  /** Nothing was looked at: it comes again later. */
  | { readonly kind: 'put-off'; readonly until: Date }
  /** Its owner had the certificate in use revoked because the name is over. */
  | { readonly kind: 'ceased'; readonly reason: Reason }
  /** The owner has brought a certificate. */
  | { readonly kind: 'brought'; readonly takeOver: boolean }
  /** From now on certificates come from a CA. */
  | { readonly kind: 'handed-over' }
  | { readonly kind: 'retired' }

export interface MoveContext {
  readonly now: Date
  readonly random: Random
  /** How often a host is looked at with which nothing is wrong; not before its renewal without it. */
  readonly lookEvery?: Duration | undefined
  /** After which time without visitors its renewal comes last; never without it. */
  readonly idleAfter?: Duration | undefined
  readonly idlePolicy?: 'last' | 'lazy' | undefined
  /** `doubtful`: what `now` says of a certificate counts for nothing. */
  readonly clock?: 'right' | 'doubtful' | undefined
}
