import { days, hours } from '../../kernel/index.ts'
import { OWN_PACE, RENEWALS_EXEMPT, requestRate } from '../limits.ts'
import type { CertificateAuthority } from './certificate-authority.ts'

export const letsencrypt: CertificateAuthority = {
  name: 'letsencrypt',
  title: "Let's Encrypt",
  directoryUrl: 'https://acme-v02.api.letsencrypt.org/directory',
  caaIdentities: ['letsencrypt.org'],
  notAfter: 'refused',
  externalAccount: 'not-required',
  validationMs: 1_500,
  // docs/rate-limits, 2026-08-05. An override of orders-per-account is asked for by form.
  limits: {
    orders: {
      'orders-per-account': { capacity: 300, per: hours(3) },
      'certificates-per-domain': { capacity: 50, per: days(7) },
      'certificates-per-name': { capacity: 5, per: days(7) },
      'failures-per-name': { capacity: 5, per: hours(1) },
      // One is forgotten a day, and all with the first success.
      'failures-in-a-row': { capacity: 1_152, per: days(1_152) },
      'own-pace': OWN_PACE,
    },
    exempt: RENEWALS_EXEMPT,
    requests: {
      'new-nonce': requestRate(20, 10),
      'new-account': requestRate(5, 15),
      'new-order': requestRate(300, 200),
      revoke: requestRate(10, 100),
      'renewal-info': requestRate(1_000, 100),
      directory: requestRate(40, 40),
      other: requestRate(250, 125),
    },
  },
}
