import { days, hours, seconds } from '../../kernel/index.ts'
import { OWN_PACE, RENEWALS_EXEMPT, requestRate } from '../limits.ts'
import type { CertificateAuthority } from './certificate-authority.ts'

/** For trying things out: generous limits, certificates that no browser trusts. */
export const letsencryptStaging: CertificateAuthority = {
  name: 'letsencrypt-staging',
  title: "Let's Encrypt (staging)",
  directoryUrl: 'https://acme-staging-v02.api.letsencrypt.org/directory',
  caaIdentities: ['letsencrypt.org'],
  notAfter: 'refused',
  externalAccount: 'not-required',
  validationMs: 1_500,
  // docs/staging-environment, 2026-08.
  limits: {
    orders: {
      'orders-per-account': { capacity: 1_500, per: hours(3) },
      'certificates-per-domain': { capacity: 30_000, per: seconds(1) },
      'certificates-per-name': { capacity: 30_000, per: days(7) },
      'failures-per-name': { capacity: 200, per: hours(1) },
      // "3,600 per 6 hours": read as one forgotten in six hours, the slower of two readings.
      'failures-in-a-row': { capacity: 3_600, per: hours(3_600 * 6) },
      'own-pace': OWN_PACE,
    },
    exempt: RENEWALS_EXEMPT,
    requests: {
      'new-nonce': requestRate(20, 10),
      'new-account': requestRate(5, 15),
      'new-order': requestRate(20, 40),
      revoke: requestRate(10, 20),
      'renewal-info': requestRate(20, 20),
      directory: requestRate(40, 40),
      other: requestRate(20, 20),
    },
  },
}
