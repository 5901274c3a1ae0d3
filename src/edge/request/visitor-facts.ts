import { createHmac, createSecretKey } from 'node:crypto'
import type { Clock, Hostname, Redacted } from '../../kernel/index.ts'
import type { Arrival, Connection } from './connection.ts'
import { type HeaderLines, toHeaderLines } from './header-lines.ts'
import type { Passage } from './passage.ts'

// RFC 8941 (Structured Fields), one dictionary and one byte sequence:
//   Postern-Visitor: at=1763812800, tls=TLSv1.3, cipher=…, group=X25519, resumed=?0, alpn=h2
//   Postern-Signature: :base64 of HMAC-SHA-256 over "visitor\nhost\nrequest id":

/** Tells backends how a visitor speaks TLS: programs that check links seldom do it as browsers do. */
export interface VisitorFacts {
  /** The fields for one request. */
  vouchFor(passage: Passage): HeaderLines
}

export function createVisitorFacts(
  { clock }: { readonly clock: Clock },
  sharedKey: Redacted<string>,
): VisitorFacts {
  const key = createSecretKey(sharedKey.reveal(), 'utf8')
  /** What is the same for all requests of a connection is read and written once. */
  const known = new WeakMap<Connection, string>()
  const tlsOf = (connection: Connection): string => {
    const before = known.get(connection)
    if (before !== undefined) return before
    const now = describe(connection.arrival)
    known.set(connection, now)
    return now
  }
  return {
    vouchFor: ({ connection, hostname, requestId }) => {
      // The moment is signed too: who has seen one request cannot use its fields a day later.
      const at = Math.floor(clock.now().getTime() / 1000)
      const visitor = `at=${at}, ${tlsOf(connection)}`
      const text = signedText({ visitor, hostname, requestId })
      const signature = createHmac('sha256', key).update(text).digest('base64')
      return toHeaderLines(`Postern-Visitor: ${visitor}\r\nPostern-Signature: :${signature}:\r\n`)
    },
  }
}

/** No part can hold a line break, so that no two requests have the same text. */
function signedText(request: {
  readonly visitor: string
  readonly hostname: Hostname
  readonly requestId: string
}): string {
  return `${request.visitor}\n${request.hostname}\n${request.requestId}`
}

/** What is not known is left out. All values are tokens (RFC 8941 §3.3.4), `hello` is a string. */
function describe({ tls, hello }: Arrival): string {
  const facts = tls?.()
  if (!facts) return 'tls=none'
  const members = [
    ['tls', facts.version],
    ['cipher', facts.cipher],
    ['group', facts.keyExchange],
    ['resumed', facts.resumed ? '?1' : '?0'],
    ['alpn', facts.alpn],
    ['hello', hello === undefined ? undefined : `"${hello}"`],
  ]
  return members
    .flatMap(([name, value]) => (value === undefined ? [] : `${name}=${value}`))
    .join(', ')
}
