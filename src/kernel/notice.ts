/** What an account is told about a host of its own. Stable: programs match on these. */
export const NOTICE_KINDS = [
  'issued',
  'renewed',
  'failing',
  'expiring',
  'paused',
  'left',
  'returned',
  'mismatch',
  'revoked',
] as const

export type NoticeKind = (typeof NOTICE_KINDS)[number]
