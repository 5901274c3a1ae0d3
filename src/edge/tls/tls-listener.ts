import type { Clock, Hostname, Random } from '../../kernel/index.ts'
import type { EdgeRecord, HandshakeResult } from '../../telemetry/index.ts'
import type { Gate } from '../gate/gate.ts'
import type { Listener } from '../listen/http-listener.ts'
import type { HostMembership, ServedCertificate } from '../ports.ts'
import type { VisitBook } from '../request/visits.ts'
import { createFingerprints } from './fingerprints.ts'
import { createFirstFlight } from './first-flight.ts'
import { createFloodWatch } from './flood-watch.ts'
import { failedHandshakeResult, isStranger } from './handshake-result.ts'
import { refusalOf } from './hello-verdict.ts'
import { createSelfHandshakes, type RehearsalOutcome } from './self-handshake.ts'
import { type SelfTestCheck, type SelfTestReport, testSelf } from './self-test.ts'
import type { Sni } from './sni.ts'
import type { TicketHandling } from './ticket-hook.ts'
import { createTicketRing, type TicketKey } from './ticket-ring.ts'
import { createTicketedServer, type TicketedServer } from './ticketed-server.ts'

// TLS 1.2 and 1.3 (RFC 5246, RFC 8446) by OpenSSL; what we offer is said in `net`. No early data,
// no client certificates.

/** https: shakes hands, then the gate. */
export interface TlsListener extends Listener {
  /** See `Edge.useTicketKeys`. */
  useTicketKeys(keys: readonly TicketKey[]): void
  /** See `Edge.confirm`. */
  confirm(hostname: Hostname, serial: string): Promise<boolean>
  /** See `Edge.rehearse`. */
  rehearse(hostname: Hostname, certificate: ServedCertificate): Promise<RehearsalOutcome>
  /** See `Edge.selfTest`. */
  selfTest(due?: readonly SelfTestCheck[]): Promise<SelfTestReport>
}

/** If one of these fails, Node's own tickets are the better ones. */
const TICKET_CHECKS: ReadonlySet<SelfTestCheck> = new Set(['resumption', 'renewed-tickets'])

/** Whose first words are read before any TLS is made: it costs a wanted handshake some 5 %. */
export type HelloReading =
  /** Those of all, and their fingerprints are kept for the backend to be told. */
  | 'always'
  /** Those of all while strangers come in numbers, to spare three quarters of what each costs. */
  | 'amid-strangers'

export function createTlsListener({
  gate,
  sni,
  membership,
  visits,
  record,
  clock,
  random,
  helloReading,
}: {
  readonly gate: Gate
  readonly sni: Pick<Sni, 'callback' | 'hasCertificate'>
  readonly membership: Pick<HostMembership, 'has'>
  readonly visits: Pick<VisitBook, 'withoutNoting'>
  readonly record: Pick<EdgeRecord, 'handshake' | 'selfTested'>
  readonly clock: Clock
  readonly random: Random
  readonly helloReading: HelloReading
}): TlsListener {
  const ring = createTicketRing({ clock })
  const handshakes = createSelfHandshakes({ clock })
  const flood = createFloodWatch({ clock })
  const fingerprints = createFingerprints({ random })
  const isReading = helloReading === 'always' ? () => true : flood.isOn
  const count = (result: HandshakeResult): void => {
    if (isStranger(result)) flood.noteStranger()
    record.handshake(result)
  }
  const serve = (wanted: TicketHandling): TicketedServer => {
    const made = createTicketedServer({ ring, random, sniCallback: sni.callback }, wanted)
    made.server.on('secureConnection', (socket) => {
      record.handshake(socket.isSessionReused() ? 'resumed' : 'full')
      gate.admit(socket, helloReading === 'always' ? fingerprints.of(socket) : undefined)
    })
    made.server.on('tlsClientError', (error, socket) => {
      void failedHandshakeResult(error, socket, { membership, sni }).then(count)
      socket.destroy()
    })
    return made
  }
  let ticketed = serve('ring')
  const firstFlight = createFirstFlight({
    judge: (hello) => refusalOf(hello, membership),
    handOver: (socket, hello) => {
      if (hello && helloReading === 'always') fingerprints.note(socket, hello)
      ticketed.accept(socket)
    },
    count,
  })

  return {
    accept: (socket) => (isReading() ? firstFlight.receive(socket) : ticketed.accept(socket)),
    useTicketKeys: ring.replace,
    selfTest: async (due) => {
      const tested = await testSelf({ clock, random }, ticketed.handling, due)
      const report = due ? tested : withHookFailure(tested, ticketed)
      record.selfTested(report)
      const isRingBroken = report.findings.some(({ check }) => TICKET_CHECKS.has(check))
      // Whoever is shaking hands with the other one goes on there.
      if (isRingBroken && ticketed.handling === 'ring') ticketed = serve('one-key')
      return report
    },
    confirm: (hostname, serial) =>
      visits.withoutNoting(hostname, async () => {
        const shown = await handshakes.shake(ticketed, hostname)
        return shown.kind === 'certificate' && shown.serial === serial
      }),
    rehearse: handshakes.rehearse,
  }
}

function withHookFailure(
  report: SelfTestReport,
  { hookFailure }: Pick<TicketedServer, 'hookFailure'>,
): SelfTestReport {
  if (hookFailure === undefined) return report
  const finding = { check: 'ticket-hook', why: hookFailure, weight: 'degraded' } as const
  return { ...report, findings: [...report.findings, finding] }
}
