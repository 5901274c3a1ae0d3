import { connect, type Socket } from 'node:net'
import { type Duplex, duplexPair } from 'node:stream'
import { type ConnectionOptions, connect as tlsConnect } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aTicketKey } from '../../support/ticket-keys.ts'
import { type EdgeUnderTest, OURS, openEdge, statusOf } from './support.ts'

// A client may send its request together with what ends its handshake, and a network may cut that
// anywhere: the request arrives before, while and after the connection is handed to its reader.

const REQUEST = `GET /x HTTP/1.1\r\nHost: ${OURS}\r\n\r\n`
/** Long, because others may want the machine; an answer comes in milliseconds. */
const NO_ANSWER_MS = 20_000
/** Of a flight of 75 to 150 bytes: some cuts fall into each of its records. */
const CUT_EVERY_BYTES = 7

const VERSIONS = ['TLSv1.3', 'TLSv1.2'] as const
const READINGS = [
  ['no hello', {}],
  ['every hello', { visitorFactsKey: 'a'.repeat(32) }],
] as const

/** Hands out tickets; shares its key with those that have one. */
let ticketOffice: EdgeUnderTest

beforeAll(async () => {
  ticketOffice = await openEdge()
  ticketOffice.edge.useTicketKeys([aTicketKey(7)])
})
afterAll(() => ticketOffice[Symbol.asyncDispose]())

describe.each(READINGS)('an edge that reads %s', (_, options) => {
  it.each(VERSIONS)('answers a request that comes with a handshake on %s', async (version) => {
    await using under = await openEdge(options)
    under.edge.useTicketKeys([aTicketKey(7)])
    expect(await cutEverywhere(under, { maxVersion: version })).toEqual(['200, in full'])
  })

  it.each(VERSIONS)('answers one that comes with a resumption on %s', async (version) => {
    await using under = await openEdge(options)
    under.edge.useTicketKeys([aTicketKey(7)])
    const session = await ticketOf(version)
    expect(await cutEverywhere(under, { maxVersion: version, session })).toEqual(['200, resumed'])
  })

  it.each(VERSIONS)(
    'answers one that comes with a ticket on %s while it knows no key, after a full handshake',
    async (version) => {
      await using under = await openEdge(options)
      const session = await ticketOf(version)
      expect(await cutEverywhere(under, { maxVersion: version, session })).toEqual(['200, in full'])
      // Once its keys are there, the same ticket is good.
      under.edge.useTicketKeys([aTicketKey(7)])
      const { kind } = await ask(under, { maxVersion: version, session })
      expect(kind).toBe('200, resumed')
      under.edge.useTicketKeys([])
      expect((await ask(under, { maxVersion: version, session })).kind).toBe('200, in full')
    },
  )
})

interface Seen {
  /** The status, and whether the session went on. */
  readonly kind: string
  /** How long that was with which the request came. */
  readonly lastFlightBytes: number
  readonly ticket: Buffer | undefined
}

async function ticketOf(maxVersion: 'TLSv1.2' | 'TLSv1.3'): Promise<Buffer> {
  const { ticket } = await ask(ticketOffice, { maxVersion })
  if (!ticket) throw new TypeError('There was no ticket')
  return ticket
}

/** What is seen, each once, by clients whose later flights are cut at all places, all at once. */
async function cutEverywhere(
  under: EdgeUnderTest,
  options: ConnectionOptions,
): Promise<readonly string[]> {
  const { kind, lastFlightBytes } = await ask(under, options)
  const cuts = Math.ceil(lastFlightBytes / CUT_EVERY_BYTES)
  const seen = await Promise.all(
    Array.from({ length: cuts }, (_, n) => ask(under, options, n * CUT_EVERY_BYTES)),
  )
  return [...new Set([kind, ...seen.map((one) => one.kind)])]
}

/** Asks before the handshake is over; throws if there is no answer. */
async function ask(
  { httpsPort }: EdgeUnderTest,
  options: ConnectionOptions,
  cutAt = 0,
): Promise<Seen> {
  const [near, far] = duplexPair()
  const wire = connect(httpsPort, '127.0.0.1').setNoDelay()
  wire.setTimeout(NO_ANSWER_MS, () => wire.destroy(new Error(`No answer, cut at ${cutAt}`)))
  wire.on('data', (bytes) => far.write(bytes))
  const flights = sendInFlights(far, wire, cutAt)
  const socket = tlsConnect({
    ...options,
    ...{ socket: near, servername: OURS, rejectUnauthorized: false },
  })
  const tickets: Buffer[] = []
  socket.on('session', (ticket) => tickets.push(ticket))
  socket.write(REQUEST)
  try {
    const answer = await new Promise<string>((resolve, reject) => {
      socket.once('data', (bytes: Buffer) => resolve(bytes.toString('latin1')))
      socket.on('error', reject)
      wire.on('error', reject)
      wire.on('close', () => reject(new Error(`Ended without an answer, cut at ${cutAt}`)))
    })
    const how = socket.isSessionReused() ? 'resumed' : 'in full'
    const ticket = tickets.at(-1)
    return { kind: `${statusOf(answer)}, ${how}`, lastFlightBytes: flights.lastBytes, ticket }
  } finally {
    socket.destroy()
    wire.destroy()
  }
}

/** What `from` gives in one turn of the loop goes out at once; all but the first in two pieces. */
function sendInFlights(from: Duplex, to: Socket, cutAt: number): { readonly lastBytes: number } {
  const sent = { flights: 0, lastBytes: 0 }
  let held: Buffer[] = []
  let earlier = Promise.resolve()
  const send = async (flight: Buffer): Promise<void> => {
    sent.flights += 1
    sent.lastBytes = flight.length
    const at = sent.flights === 1 ? 0 : cutAt
    to.write(flight.subarray(0, at))
    // So that the edge, which is in this process, has read the first piece.
    for (let turns = 0; at > 0 && turns < 2; turns += 1) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    to.write(flight.subarray(at))
  }
  from.on('data', (bytes: Buffer) => {
    held.push(bytes)
    if (held.length > 1) return
    setImmediate(() => {
      const flight = Buffer.concat(held)
      held = []
      earlier = earlier.then(() => send(flight))
    })
  })
  return sent
}
