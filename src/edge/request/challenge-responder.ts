import type { Hostname } from '../../kernel/index.ts'
import type { EdgeRecord } from '../../telemetry/index.ts'
import { STRANGER_LOOKUPS_MAX, TOKEN_CHARACTERS_MAX } from '../limits.ts'
import type { ChallengeAnswers, HostMembership } from '../ports.ts'

// RFC 8555 §8.3 (HTTP-01): the server's side. Nothing here reads a file.

/** What a target means to us: a token, something else in the CA's corner of the site, or neither. */
export type ChallengePath =
  | { readonly kind: 'elsewhere' }
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'malformed' }

const PREFIX = '/.well-known/acme-challenge/'
const TOKEN = new RegExp(`^[A-Za-z0-9_-]{1,${TOKEN_CHARACTERS_MAX}}$`)

/**
 * Reads a target. Other spellings of the prefix (encoded, doubled slashes, dots) are malformed and
 * not elsewhere: a backend might decode them, and that corner is never a backend's.
 */
export function readChallengePath(target: string): ChallengePath {
  if (target.startsWith(PREFIX)) {
    const token = target.slice(PREFIX.length)
    return TOKEN.test(token) ? { kind: 'token', token } : MALFORMED
  }
  const query = target.indexOf('?')
  const path = query < 0 ? target : target.slice(0, query)
  return MAYBE_ODD.test(path) && isOddSpelling(path) ? MALFORMED : ELSEWHERE
}

const ELSEWHERE: ChallengePath = { kind: 'elsewhere' }
const MALFORMED: ChallengePath = { kind: 'malformed' }

/**
 * What every odd spelling has: without a percent sign nothing is decoded, and then the name of the
 * corner has to be there in letters. Asked first, because nearly no path has either.
 */
const MAYBE_ODD = /%|acme-challenge/i

function isOddSpelling(path: string): boolean {
  const plain = decoded(decoded(path)).toLowerCase().replaceAll('\\', '/')
  if (!plain.includes('acme-challenge')) return false
  const segments: string[] = []
  for (const segment of plain.split('/')) {
    if (segment === '..') segments.pop()
    else if (segment !== '' && segment !== '.') segments.push(segment)
  }
  return `/${segments.join('/')}/`.startsWith(PREFIX)
}

/** Percent-decoding of ASCII only, because the rest cannot be part of the prefix. */
function decoded(text: string): string {
  return text.replace(/%([0-7][0-9a-f])/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
}

/** Answers CAs. */
export interface ChallengeResponder {
  /** The body to send, or `undefined`: no such token of this very host is shown now. */
  respond(hostname: Hostname, token: string): Promise<string | undefined>
}

export function createChallengeResponder({
  challenges,
  membership,
  record,
}: {
  readonly challenges: ChallengeAnswers
  readonly membership: Pick<HostMembership, 'has'>
  readonly record: Pick<EdgeRecord, 'challengeAsked'>
}): ChallengeResponder {
  let strangers = 0
  return {
    respond: async (hostname, token) => {
      // A host added a moment ago may be asked for before this process has heard of it; a live
      // token is proof enough. The bound keeps floods with made-up names away from the store.
      const isKnown = membership.has(hostname)
      if (!isKnown && strangers >= STRANGER_LOOKUPS_MAX) return undefined
      if (!isKnown) strangers += 1
      try {
        const answer = await challenges.answer(hostname, token)
        record.challengeAsked(answer === undefined ? 'unknown' : 'answered')
        return answer
      } finally {
        if (!isKnown) strangers -= 1
      }
    },
  }
}
