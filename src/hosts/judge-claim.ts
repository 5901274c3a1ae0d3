import type { Hostname, Reason } from '../kernel/index.ts'
import { type DnsAnswer, toPrintable } from '../net/index.ts'
import { claimRecord, formatClaim, isProof } from './claim-record.ts'
import type { Check } from './host-life.ts'

export type ClaimJudgement =
  | { readonly kind: 'proven'; readonly check: Check }
  | { readonly kind: 'claim-needed'; readonly reason: Reason; readonly check: Check }

/** Judges whether DNS shows that a name which another account had may be this one's. */
export function judgeClaim(
  hostname: Hostname,
  token: string,
  answer: DnsAnswer<string>,
): ClaimJudgement {
  const record = claimRecord(hostname, token)
  const expected = `TXT "${record.text}" at ${record.name}`
  const check = { name: 'claim', seen: whatCame(answer), expected }
  if (isProof(answer, record)) return { kind: 'proven', check: { ...check, ok: true } }
  return {
    kind: 'claim-needed',
    check: { ...check, ok: false },
    reason: {
      code: 'dns/claim-needed',
      sentence: `Another account had ${hostname}: DNS must show that it is yours now.`,
      fix: `Create this DNS record: ${formatClaim(record)}`,
    },
  }
}

function whatCame(answer: DnsAnswer<string>): string {
  if (answer.kind === 'servfail') return 'the name servers failed (SERVFAIL)'
  if (answer.kind === 'timeout') return 'no answer in time'
  if (answer.kind !== 'found') return 'no TXT record'
  return answer.records
    .slice(0, RECORDS_SHOWN_MAX)
    .map((record) => `TXT "${toPrintable(record)}"`)
    .join(', ')
}

const RECORDS_SHOWN_MAX = 3
