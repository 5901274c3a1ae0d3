import type { CertificateAuthority } from './certificate-authority.ts'

/** Needs `acme.eab`. Its certificates are Sectigo's, and so is its name in CAA records. */
export const zerossl: CertificateAuthority = {
  name: 'zerossl',
  title: 'ZeroSSL',
  directoryUrl: 'https://acme.zerossl.com/v2/DV90',
  caaIdentities: ['sectigo.com'],
  notAfter: 'refused',
  validationMs: 5_000,
}
