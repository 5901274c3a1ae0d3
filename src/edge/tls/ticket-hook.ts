import type { Server } from 'node:tls'
import type { Random } from '../../kernel/index.ts'
import { createTicketPairs, type TicketPairs } from './ticket-pairs.ts'
import type { TicketRing } from './ticket-ring.ts'

// RFC 5077 §4 recommends the form of a ticket; RFC 8446 §4.6.1 says how TLS 1.3 hands it out.
//
// Node seals and opens tickets under one key, tells OpenSSL that all is well with an old one, and so
// gives a resumed TLS 1.3 connection no new ticket: a client that uses each ticket once, as it
// should (RFC 8446 §C.4), resumes every second time. The hook below is what Node's own tests use. It
// is not documented: whether it is there is looked at here, whether it works in `self-test.ts`.

/** How the tickets of a server are sealed and opened. */
export type TicketHandling =
  /** By the ring: several keys, and a new ticket with each resumption. */
  | 'ring'
  /** By Node itself under one key: tickets of an earlier key open no more. */
  | 'one-key'

/**
 * Has the ring asked for each ticket of this server. Changes nothing if Node has no such hook. Throws
 * what Node throws; the server is of no use then.
 */
export function installTicketHook(
  server: Server,
  { ring, random }: { readonly ring: TicketRing; readonly random: Pick<Random, 'bytes'> },
): TicketHandling {
  const context = property(property(server, '_sharedCreds'), 'context')
  const enable = property(context, 'enableTicketKeyCallback')
  if (typeof context !== 'object' || context === null || typeof enable !== 'function') {
    return 'one-key'
  }
  const pairs = createTicketPairs()
  Reflect.set(context, 'onticketkeycallback', createTicketCallback({ ring, random, pairs }))
  Reflect.apply(enable, context, [])
  server.on('secureConnection', (socket) => {
    pairs.over({ isPairDue: socket.getProtocol() === 'TLSv1.3' && !socket.isSessionReused() })
  })
  return 'ring'
}

/**
 * What Node takes from the callback: OpenSSL's answer, HMAC key, AES key and, when sealing, name and
 * initialisation vector. Always all of them: a missing one ends the process in an assertion.
 */
type TicketAnswer = readonly [answer: number, ...Buffer[]]

const REFUSED = 0
const SEALED = 1
/** Opened, and to be replaced by a new one. Node's own answer is 1. */
const OPENED_RENEW = 2
/** Stands where keys have to stand that nobody uses. */
const NO_KEY = Buffer.alloc(16)
const IV_BYTES = 16

function createTicketCallback({
  ring,
  random,
  pairs,
}: {
  readonly ring: TicketRing
  readonly random: Pick<Random, 'bytes'>
  readonly pairs: TicketPairs
}): (name: Buffer, iv: Buffer, isSealing: boolean) => TicketAnswer {
  return (name, _iv, isSealing) => {
    if (isSealing) {
      const key = pairs.isSecond() ? undefined : ring.sealing()
      if (!key) return [REFUSED, NO_KEY, NO_KEY, NO_KEY, NO_KEY]
      return [SEALED, key.hmacKey, key.aesKey, key.name, random.bytes(IV_BYTES)]
    }
    const key = ring.opening(name)
    // A full handshake then, with a certificate and a ticket that opens.
    return key ? [OPENED_RENEW, key.hmacKey, key.aesKey] : [REFUSED, NO_KEY, NO_KEY]
  }
}

function property(of: unknown, name: string): unknown {
  return typeof of === 'object' && of !== null ? Reflect.get(of, name) : undefined
}
