import type { CertificateAuthority } from './certificate-authority.ts'

/** For trying things out: generous limits, certificates that no browser trusts. */
export const letsencryptStaging: CertificateAuthority = {
  name: 'letsencrypt-staging',
  title: "Let's Encrypt (staging)",
  directoryUrl: 'https://acme-staging-v02.api.letsencrypt.org/directory',
  caaIdentities: ['letsencrypt.org'],
  notAfter: 'refused',
  validationMs: 1_500,
}
