import type { TLSSocket } from 'node:tls'

// What a handshake agreed on. Node tells a server everything but the group of the key exchange
// (`getEphemeralKeyInfo` is for clients); OpenSSL writes that into a session's ASN.1 as field 19.

/** What TLS agreed on for one connection. `undefined`: that is not known here. */
export interface TlsFacts {
  /** As OpenSSL writes it: `TLSv1.3`. */
  readonly version: string | undefined
  /** The IANA name of the suite. */
  readonly cipher: string | undefined
  /** The group in which keys were agreed on; none were in a resumed session of TLS 1.2. */
  readonly keyExchange: string | undefined
  /** What ALPN agreed on; `undefined`: the client did not ask. */
  readonly alpn: string | undefined
  readonly resumed: boolean
}

/** Reads what the socket knows; to be asked while it is open. Costs some microseconds. */
export function tlsFactsOf(socket: TLSSocket): TlsFacts {
  const version = socket.getProtocol() ?? undefined
  const resumed = socket.isSessionReused()
  const hasAgreed = !resumed || version === 'TLSv1.3'
  return {
    version,
    // Typed as if it were always there; a socket that has closed has none.
    cipher: socket.destroyed ? undefined : socket.getCipher().standardName,
    keyExchange: hasAgreed ? keyExchangeOf(socket) : undefined,
    alpn: typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : undefined,
    resumed,
  }
}

function keyExchangeOf(socket: TLSSocket): string | undefined {
  const session = socket.getSession()
  if (!session) return undefined
  try {
    const group = groupIn(session)
    return group === undefined ? undefined : (GROUPS[group] ?? `group-${group}`)
  } finally {
    // Its keys are in there too.
    session.fill(0)
  }
}

/** IANA's register of supported groups; those that we offer, see `net`. */
const GROUPS: Readonly<Record<number, string>> = {
  23: 'P-256',
  24: 'P-384',
  29: 'X25519',
  4588: 'X25519MLKEM768',
}

/** `[19] EXPLICIT INTEGER` of OpenSSL's SSL_SESSION: a context tag, a length, an INTEGER. */
const GROUP_TAG = 0xb3

/** Walks over the fields of the one SEQUENCE that a session is. */
function groupIn(session: Buffer): number | undefined {
  const outer = fieldAt(session, 0)
  for (let at = outer?.from ?? session.length; at < session.length; ) {
    const field = fieldAt(session, at)
    if (!field) return undefined
    if (field.tag === GROUP_TAG) {
      const number = fieldAt(session, field.from)
      const length = number ? number.to - number.from : 0
      return number && length >= 1 && length <= 4
        ? session.readUIntBE(number.from, length)
        : undefined
    }
    at = field.to
  }
  return undefined
}

interface Field {
  readonly tag: number
  readonly from: number
  readonly to: number
}

/** The tag and the extent of what begins here; lengths of one, two and three bytes. */
function fieldAt(bytes: Buffer, at: number): Field | undefined {
  const tag = bytes[at]
  const first = bytes[at + 1]
  if (tag === undefined || first === undefined) return undefined
  const more = first < 0x80 ? 0 : first - 0x80
  if (more > 2 || at + 2 + more > bytes.length) return undefined
  const length = more === 0 ? first : bytes.readUIntBE(at + 2, more)
  const from = at + 2 + more
  return from + length > bytes.length ? undefined : { tag, from, to: from + length }
}
