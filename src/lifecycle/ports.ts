import type { Issuer } from '../acme/index.ts'
import type { CertificateStore } from '../certs/index.ts'
import type { ChallengeBook } from '../challenges/index.ts'
import type { HostTable } from '../hosts/index.ts'
import type { Clock, Hostname, Random } from '../kernel/index.ts'
import type { FetchChallenge, ProbeTls, Resolver } from '../net/index.ts'
import type { Store } from '../store/index.ts'
import type { LifecycleRecord } from '../telemetry/index.ts'
import type { LifecycleOptions } from './options.ts'

/** What moves hosts along needs. */
export interface LifecycleDeps {
  readonly hosts: HostTable
  readonly certs: Pick<
    CertificateStore,
    | 'current'
    | 'waiting'
    | 'find'
    | 'activate'
    | 'discard'
    | 'plan'
    | 'claimQuestions'
    | 'markRevoked'
    | 'importOwn'
    | 'expiringOwn'
    | 'markWarned'
  >
  readonly issuer: Pick<
    Issuer,
    | 'issue'
    | 'admit'
    | 'room'
    | 'authorities'
    | 'askWindow'
    | 'plan'
    | 'leave'
    | 'revoke'
    | 'clockSkew'
    | 'checkHealth'
  >
  readonly challenges: Pick<ChallengeBook, 'show' | 'sweep'>
  readonly resolver: Pick<Resolver, 'a' | 'aaaa' | 'cname' | 'caa' | 'txt'>
  /** Fetches our own token as a CA would: `fetchChallenge`. */
  readonly probe: FetchChallenge
  /** Shows what visitors get in a handshake: `probeTls`. */
  readonly probeTls: ProbeTls
  readonly serving: ServingCheck
  readonly publish: Store['publish']
  readonly clock: Clock
  readonly random: Random
  readonly record: LifecycleRecord
}

/** Knows whether a certificate is served. `app` implements it: it knows the edge workers. */
export interface ServingCheck {
  /**
   * Tells all edge workers of the host and lets each shake hands with itself. 'served' MUST mean
   * that every visitor from now on meets this certificate.
   */
  confirm(
    hostname: Hostname,
    certificateId: string,
    signal: AbortSignal,
  ): Promise<ServingConfirmation>
  /**
   * Lets each edge worker shake hands with itself with a certificate that is not in use yet, and
   * that no visitor meets.
   */
  rehearse(hostname: Hostname, certificateId: string, signal: AbortSignal): Promise<Rehearsal>
}

export type Rehearsal =
  | { readonly kind: 'went-well' }
  /** `why` ends a sentence. */
  | { readonly kind: 'failed'; readonly why: string }
  /** Somebody has not said, which is nothing against the certificate. `here`: on this node. */
  | {
      readonly kind: 'unanswered'
      readonly here: 'went-well' | 'unanswered'
      readonly why: string
    }

export type ServingConfirmation =
  | { readonly kind: 'served' }
  /** `why` ends a sentence. */
  | { readonly kind: 'not-served'; readonly why: string }

/** How hosts are moved along; what is not an option of the user comes from `app`. */
export interface LifecycleSettings extends LifecycleOptions {
  /** Where customers' CNAMEs point. Without it no host can be added, and none is worked on. */
  readonly edgeName: Hostname | undefined
  /** The ports of the edge's http listeners. The probe tries port 80 besides. */
  readonly httpPorts: readonly number[]
  /** The ports of its https listeners. Visitors come to port 443, which may lead to them. */
  readonly httpsPorts: readonly number[]
  /** `acme.agreeTerms`: until then no CA hears of anything. */
  readonly termsAgreed: boolean
}

/** The pace of a host's life, as `moveHost` wants it. */
export type Rhythm = Pick<LifecycleOptions, 'lookEvery' | 'idleAfter' | 'idlePolicy'>
