import { type Clock, type Hostname, type Random, Redacted } from '../kernel/index.ts'
import type { EdgeRecord } from '../telemetry/index.ts'
import type { BackendTarget } from './backend/backend.ts'
import { createEmbeddedCarrier } from './backend/embedded-carrier.ts'
import { createErrands } from './backend/errands.ts'
import { createFallback } from './fallback/fallback.ts'
import { type BodyCarrier, createRemoteCarrier } from './fallback/remote-carrier.ts'
import { createForwarder } from './forwarder/forwarder.ts'
import { createHealth } from './forwarder/health.ts'
import { createGate } from './gate/gate.ts'
import { createHttpDate } from './gate/http-date.ts'
import { createHttp2BodyCarrier, type Http2BodyCarrier } from './http2/body-carrier.ts'
import { createHttp2Reader } from './http2/http2-reader.ts'
import { type DescriptorPlan, planDescriptors } from './listen/descriptor-plan.ts'
import { createDoorkeeper } from './listen/doorkeeper.ts'
import { createHttpListener } from './listen/http-listener.ts'
import {
  type BoundAddress,
  formatListenAddress,
  type ListenAddress,
} from './listen/listen-address.ts'
import { createListening, type ListenHow } from './listen/listening.ts'
import { connectionsThatFit } from './listen/memory-plan.ts'
import { parseNetworks } from './listen/peer-network.ts'
import type { Resources } from './listen/resources.ts'
import type { EdgeOptions } from './options.ts'
import type {
  CertificateSource,
  ChallengeAnswers,
  HostMembership,
  ServedCertificate,
  ShortageWatch,
} from './ports.ts'
import { createAccessLog } from './request/access-log.ts'
import { createChallengeResponder } from './request/challenge-responder.ts'
import { createDecide } from './request/decision.ts'
import { createExchange, type Exchange } from './request/exchange.ts'
import type { Carrier } from './request/passage.ts'
import { createVisitorFacts } from './request/visitor-facts.ts'
import { createVisitBook, type VisitBook, type Visits } from './request/visits.ts'
import { createRescuingCarrier } from './rescue/rescuing-carrier.ts'
import type { RehearsalOutcome } from './tls/self-handshake.ts'
import type { SelfTestCheck, SelfTestReport } from './tls/self-test.ts'
import { createSni, type Sni } from './tls/sni.ts'
import type { TicketKey } from './tls/ticket-ring.ts'
import { createTlsListener } from './tls/tls-listener.ts'

/** Where visitors arrive: one process's share of the front. */
export interface Edge {
  /**
   * Starts to accept; all addresses or none. Throws 'edge/port-in-use', 'edge/port-not-allowed',
   * 'edge/bad-address'.
   */
  listen(addresses: EdgeAddresses, how: ListenHow): Promise<EdgeBound>
  /** Under which TLS sessions are resumed; equal in all processes and nodes. Copied. */
  useTicketKeys(keys: readonly TicketKey[]): void
  /**
   * Whether a handshake for `hostname` now gets the certificate with this serial (upper-case hex):
   * a real one, through this process's own TLS server, without a network.
   */
  confirm(hostname: Hostname, serial: string): Promise<boolean>
  /**
   * Whether this process could serve a certificate that it does not serve yet: shakes hands with
   * itself on TLS 1.2 and 1.3, as it does with visitors, who notice nothing.
   */
  rehearse(hostname: Hostname, certificate: ServedCertificate): Promise<RehearsalOutcome>
  /**
   * Tries out what is relied on in Node and OpenSSL and promised nowhere, by handshakes with servers
   * like its own; goes on with safer ways where it can. Of all, or of those that were late. Never
   * throws.
   */
  selfTest(due?: readonly SelfTestCheck[]): Promise<SelfTestReport>
  /** Which hosts were visited since the last call. */
  takeVisits(): Visits
  /** Stops accepting, lets connections finish, and destroys what is left after `deadlineMs`. */
  drain(deadlineMs: number): Promise<void>
}

export interface EdgeAddresses {
  readonly http: readonly ListenAddress[]
  readonly https: readonly ListenAddress[]
}

export interface EdgeBound {
  readonly http: readonly BoundAddress[]
  readonly https: readonly BoundAddress[]
}

export interface EdgeDeps {
  readonly certificates: CertificateSource
  readonly membership: HostMembership
  readonly challenges: ChallengeAnswers
  readonly backend: BackendTarget
  readonly watch: ShortageWatch
  readonly resources: Resources
  readonly record: EdgeRecord
  readonly clock: Clock
  readonly random: Random
}

type ExchangeOptions = Pick<
  EdgeOptions,
  'name' | 'visitorFactsKey' | 'httpPolicy' | 'accessLog' | 'accessLogDetails'
>

/** Puts the edge together; nothing listens before `listen`. */
export function createEdge(
  deps: EdgeDeps,
  options: ExchangeOptions & Pick<EdgeOptions, 'sharedAddresses'>,
): Edge {
  const { certificates, membership, record, clock, random } = deps
  const visits = createVisitBook()
  const sni = createSni({ certificates, membership, visits, record, clock, random })
  const descriptors = shareDescriptors(deps)
  const { carrier, bodyCarrier, http2BodyCarrier, hangUp } = createCarriers(deps, descriptors)
  const exchange = openExchange(deps, options, { carrier, sni, visits })
  const httpDate = createHttpDate(clock)
  const fallback = createFallback({ exchange, bodyCarrier, httpDate, record, clock })
  const http2 = createHttp2Reader({ exchange, bodyCarrier: http2BodyCarrier, record, clock })
  const doorkeeper = createDoorkeeper(deps, {
    connectionsMax: Math.min(descriptors.connections, connectionsThatFit(deps.resources.memory)),
    shared: parseNetworks(options.sharedAddresses),
  })
  const gate = createGate({ exchange, fallback, http2, doorkeeper, httpDate, record, clock })
  const http = createHttpListener({ gate })
  const tls = createTlsListener({
    ...{ gate, sni, membership, visits, record, clock, random },
    helloReading: options.visitorFactsKey ? 'always' : 'amid-strangers',
  })
  const listening = createListening({ doorkeeper, record, clock })

  return {
    listen: async (addresses, how) => {
      try {
        const bound: { http: BoundAddress[]; https: BoundAddress[] } = { http: [], https: [] }
        for (const address of addresses.http) {
          bound.http.push(await listening.open(address, http, how))
        }
        for (const address of addresses.https) {
          bound.https.push(await listening.open(address, tls, how))
        }
        record.listening([...bound.http, ...bound.https].map(formatListenAddress))
        return bound
      } catch (error) {
        await listening.closePorts()
        throw error
      }
    },
    useTicketKeys: tls.useTicketKeys,
    confirm: tls.confirm,
    rehearse: tls.rehearse,
    selfTest: tls.selfTest,
    takeVisits: visits.take,
    drain: async (deadlineMs) => {
      await listening.closePorts()
      gate.windDown()
      fallback.windDown()
      http2.windDown()
      const waiting = new AbortController()
      const deadline = clock.sleep(deadlineMs, waiting.signal).catch(() => undefined)
      await Promise.race([listening.untilQuiet(), deadline])
      waiting.abort()
      record.drained({ destroyed: await listening.destroyConnections() })
      await gate[Symbol.asyncDispose]()
      await http2[Symbol.asyncDispose]()
      fallback.close()
      await hangUp?.()
    },
  }
}

/** Of visitors and backends, as many as the process may open files for; says so if that is few. */
function shareDescriptors({ backend, resources, record }: EdgeDeps): DescriptorPlan {
  const backends = backend.kind === 'remote' ? backend.targets.length : 0
  const plan = planDescriptors(resources.descriptors, { pools: backends * POOLS_PER_BACKEND })
  if (plan.isTight) record.descriptorsTight({ limit: plan.limit, connections: plan.connections })
  return plan
}

/** The forwarder's, and one for what has bodies over each of HTTP/1.1 and HTTP/2. */
const POOLS_PER_BACKEND = 3

/** What decides on a request and has it answered, whoever reads it. */
function openExchange(
  deps: EdgeDeps,
  options: ExchangeOptions,
  parts: { readonly carrier: Carrier; readonly sni: Sni; readonly visits: VisitBook },
): Exchange {
  const { certificates, membership, record, clock, random } = deps
  const challenges = createChallengeResponder(deps)
  const decide = createDecide({ membership, certificates, challenges, ...parts }, options)
  const details = new Set(options.accessLogDetails)
  const accessLog = createAccessLog(deps, { share: options.accessLog, details })
  const visitorFacts = options.visitorFactsKey
    ? createVisitorFacts({ clock }, new Redacted(options.visitorFactsKey))
    : undefined
  const { carrier } = parts
  return createExchange({ decide, carrier, accessLog, visitorFacts, record, clock, random })
}

function createCarriers(
  { backend, record, clock }: EdgeDeps,
  { socketsPerPool: socketsMax }: DescriptorPlan,
): {
  readonly carrier: Carrier
  readonly bodyCarrier?: BodyCarrier
  readonly http2BodyCarrier?: Http2BodyCarrier
  /** Gives up the connections to backends. */
  readonly hangUp?: () => Promise<void>
} {
  if (backend.kind === 'embedded') {
    return { carrier: createEmbeddedCarrier({ backend: backend.backend, record }) }
  }
  const { targets, rescue } = backend
  const health = createHealth({ clock, record }, targets)
  const forwarder = createForwarder({ health, record, clock }, targets, { socketsMax })
  const errands = createErrands({ health, record, clock }, { underWayMax: socketsMax })
  const bodyCarrier = createRemoteCarrier({ errands }, { socketsMax })
  const http2BodyCarrier = createHttp2BodyCarrier({ errands }, { socketsMax })
  return {
    carrier: rescue
      ? createRescuingCarrier({ carrier: forwarder, rescue, record, clock })
      : forwarder,
    bodyCarrier,
    http2BodyCarrier,
    hangUp: async () => {
      await errands.close()
      bodyCarrier.close()
      http2BodyCarrier.close()
      await forwarder.close()
    },
  }
}
