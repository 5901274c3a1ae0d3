import { CAUTIOUS_LIMITS } from '../limits.ts'
import type { CertificateAuthority } from './certificate-authority.ts'

/** Needs `acme.eab`, to be used within seven days of its making; the account then never expires. */
export const google: CertificateAuthority = {
  name: 'google',
  title: 'Google Trust Services',
  directoryUrl: 'https://dv.acme-v02.api.pki.goog/directory',
  caaIdentities: ['pki.goog'],
  notAfter: 'refused',
  externalAccount: 'required',
  validationMs: 2_000,
  // Quotas belong to the customer's project and are not published for ACME.
  limits: CAUTIOUS_LIMITS,
}
