import type { CaLimits } from '../limits.ts'

/** A certificate authority as data: what its directory does not say about itself. */
export interface CertificateAuthority {
  /** What `acme.ca` calls it; a directory URL for one that is not in the list. */
  readonly name: string
  /** For people. */
  readonly title: string
  readonly directoryUrl: string
  /** Its names in CAA records, if its directory does not list them (RFC 8555 §7.1.1). */
  readonly caaIdentities: readonly string[]
  /**
   * May an order ask for an end of validity (RFC 8555 §7.4)? Let's Encrypt refuses such orders; of a
   * CA we do not know, we find out.
   */
  readonly notAfter: 'refused' | 'honoured' | 'unknown'
  /** Does it serve only customers it knows already (RFC 8555 §7.3.4, `acme.eab`)? */
  readonly externalAccount: 'required' | 'not-required' | 'unknown'
  /** How long a validation takes at first guess; learned from then on. */
  readonly validationMs: number
  /** How much it lets one customer do. `acme.limits` overrides it. */
  readonly limits: CaLimits
}
