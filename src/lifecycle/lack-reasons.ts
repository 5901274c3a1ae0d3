import type { Reason } from '../kernel/index.ts'

// Why a host has no certificate that would do, although no CA is asked for one.

export const OWN_IS_OVER: Reason = {
  code: 'certificate/expiring',
  sentence: 'The certificate that its owner brought is over, and there is no other.',
  fix: 'Bring the next one, or hand over to a certificate authority.',
}

export const CEASED: Reason = {
  code: 'certificate/revoked',
  sentence: 'Its certificate was revoked because the name is over: no other is asked for.',
  fix: 'Remove the host; or renew it, if the name goes on.',
}
