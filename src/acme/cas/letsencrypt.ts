import type { CertificateAuthority } from './certificate-authority.ts'

export const letsencrypt: CertificateAuthority = {
  name: 'letsencrypt',
  title: "Let's Encrypt",
  directoryUrl: 'https://acme-v02.api.letsencrypt.org/directory',
  caaIdentities: ['letsencrypt.org'],
  notAfter: 'refused',
  validationMs: 1_500,
}
