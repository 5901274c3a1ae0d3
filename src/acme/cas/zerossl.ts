import { CAUTIOUS_LIMITS } from '../limits.ts'
import type { CertificateAuthority } from './certificate-authority.ts'

/** Needs `acme.eab`. Its certificates are Sectigo's, and so is its name in CAA records. */
export const zerossl: CertificateAuthority = {
  name: 'zerossl',
  title: 'ZeroSSL',
  directoryUrl: 'https://acme.zerossl.com/v2/DV90',
  caaIdentities: ['sectigo.com'],
  notAfter: 'refused',
  externalAccount: 'required',
  validationMs: 5_000,
  // It publishes no figures and is said to have no limit on orders, but answers bursts of requests
  // with 429.
  limits: CAUTIOUS_LIMITS,
}
