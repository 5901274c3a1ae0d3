import type { Hostname } from '../../kernel/index.ts'
import type { Arrival, Connection } from '../request/connection.ts'
import { nodeOf } from '../request/forwarded-headers.ts'
import type { Passage } from '../request/passage.ts'

/** Writes the heads that backends get: from what was checked, and never what a visitor sent. */
export interface HeadWriter {
  headFor(passage: Passage): string
}

interface Known {
  readonly hostname: Hostname
  readonly lines: string
}

/** What is the same for all requests of a connection to one host is written once. */
export function createHeadWriter(): HeadWriter {
  const known = new WeakMap<Connection, Known>()

  const knownOf = ({ connection, hostname }: Passage): Known => {
    const before = known.get(connection)
    if (before?.hostname === hostname) return before
    const now = {
      hostname,
      lines: ownLines(connection.arrival, hostname),
    }
    known.set(connection, now)
    return now
  }

  return {
    headFor: (passage) =>
      `${passage.method} ${passage.target} HTTP/1.1\r\n${knownOf(passage).lines}${passage.lines}` +
      `${passage.vouched ?? ''}X-Request-Id: ${passage.requestId}\r\nConnection: keep-alive\r\n\r\n`,
  }
}

/** Only what the edge itself knows and vouches for. */
function ownLines({ address, secure, port }: Arrival, hostname: Hostname): string {
  const scheme = secure ? 'https' : 'http'
  return [
    `Host: ${hostname}`,
    `X-Forwarded-For: ${address}`,
    `X-Forwarded-Host: ${hostname}`,
    `X-Forwarded-Port: ${port}`,
    `X-Forwarded-Proto: ${scheme}`,
    `Forwarded: for=${nodeOf(address)};host=${hostname};proto=${scheme}`,
    '',
  ].join('\r\n')
}
