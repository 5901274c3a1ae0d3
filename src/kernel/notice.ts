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
  /** The name has gone over to another account, which proved that it may have it. */
  'moved',
] as const

export type NoticeKind = (typeof NOTICE_KINDS)[number]
