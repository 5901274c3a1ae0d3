import type { Reason } from '../kernel/index.ts'
import { type DnsAnswer, sameAddress, toPrintable } from '../net/index.ts'

// What DNS said, for people to read.

/** Name servers that do not answer: nobody can say what the record is. */
export function unanswered(name: string, type: string, how: 'servfail' | 'timeout'): Reason {
  const what = how === 'servfail' ? 'failed (SERVFAIL)' : 'did not answer in time'
  return {
    code: 'dns/servfail',
    sentence: `The name servers of ${name} ${what} when asked for its ${type} records.`,
    fix: `Have the DNS of ${name} repaired by whoever runs it: mostly it is DNSSEC that has expired or a name server that is gone. If there is no ${type} record, the answer must say so.`,
  }
}

export function isAmong(address: string, addresses: readonly string[]): boolean {
  return addresses.some((other) => sameAddress(address, other))
}

export function foundIn(answer: DnsAnswer<string>): readonly string[] {
  return answer.kind === 'found' ? answer.records : []
}

/** Targets are strangers' text. */
export function pathOf(names: readonly string[]): string {
  return names.map((name) => toPrintable(name)).join(' → ')
}

export function list(words: readonly string[]): string {
  const more = words.length - WORDS_SHOWN_MAX
  const shown = words.slice(0, WORDS_SHOWN_MAX).join(', ')
  return more > 0 ? `${shown} and ${more} more` : shown
}

const WORDS_SHOWN_MAX = 8
