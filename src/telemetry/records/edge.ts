import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'

/** How an attempt to speak TLS with us ended. */
export type HandshakeResult =
  | 'full'
  | 'resumed'
  | 'no-sni'
  | 'unknown-sni'
  | 'no-certificate'
  | 'timeout'
  | 'protocol-error'
  | 'aborted'

/** Why the operator's backend gave no answer that could be passed on. */
export interface BackendFailure {
  readonly hostname: string
  readonly backend: string
  readonly status: number
  readonly reason: string
  readonly requestId: string
}

export type EdgeRecord = ReturnType<typeof createEdgeRecord>

/** What the edge reports. Visitors are counted, not logged: logs of clicks belong to nobody. */
export function createEdgeRecord({
  log,
  metrics,
}: {
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>
  readonly metrics: Pick<Metrics, 'counter' | 'gauge'>
}) {
  const handshakes = metrics.counter({
    name: 'handshakes_total',
    help: 'TLS handshakes with visitors, by result',
    labels: ['result'],
  })
  const pastTheirTime = metrics.counter({
    name: 'handshakes_past_validity_total',
    help: 'TLS handshakes with a certificate that no client trusts any more, by why: expired, revoked',
    labels: ['why'],
  })
  const requests = metrics.counter({
    name: 'requests_total',
    help: 'Answered requests, by class of status and scheme',
    labels: ['class', 'scheme'],
  })
  const refusals = metrics.counter({
    name: 'requests_refused_total',
    help: 'Requests that the edge did not let through, by rule',
    labels: ['rule'],
  })
  const connections = metrics.gauge({
    name: 'connections',
    help: 'Open connections of visitors',
  })
  const shed = metrics.counter({
    name: 'connections_shed_total',
    help: 'Connections closed at once because too many were open',
  })
  const challenges = metrics.counter({
    name: 'challenge_requests_total',
    help: 'Requests for ACME challenges, by result',
    labels: ['result'],
  })
  const backendFailures = metrics.counter({
    name: 'backend_failures_total',
    help: 'Requests that the backend did not answer, by reason',
    labels: ['reason'],
  })
  return {
    handshake: (result: HandshakeResult) => handshakes.inc({ result }),
    servedPastItsTime: (why: 'expired' | 'revoked') => pastTheirTime.inc({ why }),
    answered: (status: number, scheme: 'http' | 'https') =>
      requests.inc({ class: `${Math.floor(status / 100)}xx`, scheme }),
    refused: (rule: string) => refusals.inc({ rule }),
    challengeAsked: (result: 'answered' | 'unknown') => challenges.inc({ result }),
    connectionsOpen: (count: number) => connections.set(count),
    connectionShed: () => shed.inc(),
    backendFailed: (failure: BackendFailure) => {
      backendFailures.inc({ reason: failure.reason })
      log.warn('backend-failed', { ...failure })
    },
    /** A bug or a store that is away: the visitor got a 500, or no certificate. */
    failed: (during: string, error: unknown) => log.error('edge-failed', { during, error }),
    listening: (addresses: readonly string[]) => log.info('edge-listening', { addresses }),
    drained: (facts: { readonly destroyed: number }) => log.info('edge-drained', facts),
  }
}
