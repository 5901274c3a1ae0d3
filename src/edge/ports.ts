import type { SecureContext } from 'node:tls'
import type { Hostname } from '../kernel/index.ts'
import type { Shortage } from '../telemetry/index.ts'

/** The certificates we hold, ready to serve. `certs` implements it. */
export interface CertificateSource {
  /** `undefined` for a host without a certificate. MUST be cheap when asked again. */
  contextFor(
    hostname: Hostname,
  ): ServedCertificate | undefined | Promise<ServedCertificate | undefined>
}

export interface ServedCertificate {
  readonly context: SecureContext
  /** Upper-case hex. */
  readonly serial: string
  readonly notAfter: Date
  /** Its CA has taken it back; it is served until it is replaced, as an expired one is. */
  readonly isRevoked: boolean
}

/** Which hosts are ours. `hosts` implements it. */
export interface HostMembership {
  /** From memory and without I/O; MAY be wrong for one stranger in millions, never for our own. */
  has(hostname: Hostname): boolean
  /** Exact. A promise only where something has to be looked up: it is asked with each request. */
  isOurs(hostname: Hostname): boolean | Promise<boolean>
}

/** The challenges shown right now. `challenges` implements it. */
export interface ChallengeAnswers {
  /** The key authorization, if this token is live for this very host (RFC 8555 §8.3). */
  answer(hostname: Hostname, token: string): Promise<string | undefined>
}

/** Who is to know that visitors are turned away, and can help. `app` implements it. */
export interface ShortageWatch {
  /** It has lasted for seconds; called once until `ended`. */
  began(of: Shortage): void
  ended(of: Shortage): void
  /** Memory is nearly used up: let go of what can be had again. */
  relieve(): void
}
