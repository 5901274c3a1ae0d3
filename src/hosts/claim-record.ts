import type { Hostname } from '../kernel/index.ts'
import type { DnsAnswer } from '../net/index.ts'

/** The DNS record by which an account shows that a name which another one had is now its own. */
export interface ClaimRecord {
  readonly name: string
  readonly text: string
}

/**
 * Under the name itself, so that a CNAME which was left behind does not count: whoever only finds
 * one cannot write this.
 */
export function claimRecord(hostname: Hostname, token: string): ClaimRecord {
  return { name: `_postern.${hostname}`, text: `postern-claim=${token}` }
}

/** As it stands in a zone file, for people to copy. */
export function formatClaim({ name, text }: ClaimRecord): string {
  return `${name}. TXT "${text}"`
}

export function isProof(answer: DnsAnswer<string>, { text }: ClaimRecord): boolean {
  return answer.kind === 'found' && answer.records.some((record) => record.trim() === text)
}
