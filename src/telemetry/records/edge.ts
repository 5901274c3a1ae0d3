import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { Tallies } from '../tally.ts'

/** How an attempt to speak TLS with us ended. */
export type HandshakeResult =
  | 'full'
  | 'resumed'
  | 'no-sni'
  | 'unknown-sni'
  | 'no-certificate'
  /** There is a certificate, and the client speaks none of the ciphers that go with it. */
  | 'no-shared-cipher'
  /** The client speaks nothing newer than TLS 1.1. */
  | 'legacy-version'
  | 'timeout'
  | 'protocol-error'
  | 'aborted'

/** Which limit a connection was closed for. */
export type ShedReason =
  // Before a byte was read: of one address …
  | 'address-connections'
  | 'address-rate'
  // … or of all.
  | 'full'
  | 'memory'
  // Later, to make room for others: what it was doing.
  | 'idle'
  | 'silent'
  | 'stalled'
  // Whoever else is there.
  | 'late'
  | 'slow-reader'

/** What there is too little of for all who come. */
export type Shortage = 'connections' | 'memory' | 'descriptors' | 'journal'

/** One answered request, for the access log. What was not asked for is absent. */
export interface Access {
  readonly requestId: string
  readonly at: Date
  readonly hostname: string
  readonly method: string
  readonly status: number
  /** Of the answer's body. */
  readonly bytes: number | undefined
  readonly isWhole: boolean
  readonly ms: number
  readonly scheme: 'http' | 'https'
  readonly protocol: 'http/1.1' | 'h2'
  readonly target?: string | undefined
  readonly address?: string | undefined
  readonly userAgent?: string | undefined
}

/** Why the operator's backend gave no answer that could be passed on. */
export interface BackendFailure {
  readonly hostname: string
  readonly backend: string
  readonly status: number
  readonly reason: string
  readonly requestId: string
}

/** What a process found when it tried out what it relies on in Node and OpenSSL. */
export interface SelfTestReport {
  readonly findings: readonly {
    readonly check: string
    readonly why: string
    readonly weight: 'unsafe' | 'degraded'
  }[]
  readonly passed: readonly string[]
  /** Not judged, for want of time. */
  readonly late: readonly string[]
  readonly ms: number
}

export type EdgeRecord = ReturnType<typeof createEdgeRecord>

/** What the edge reports. Visitors are counted, not logged: logs of clicks belong to nobody. */
export function createEdgeRecord({
  log,
  metrics,
}: {
  readonly log: Pick<Log, 'debug' | 'info' | 'warn' | 'error'>
  readonly metrics: Pick<Metrics, 'counter' | 'gauge' | 'tallies' | 'durations'>
}) {
  const handshakes = metrics.tallies({
    name: 'handshakes_total',
    help: 'TLS handshakes with visitors, by result',
    labels: ['result'],
  })
  const pastTheirTime = metrics.counter({
    name: 'handshakes_past_validity_total',
    help: 'TLS handshakes with a certificate that no client trusts any more, by why: expired, revoked',
    labels: ['why'],
  })
  const requests = metrics.tallies({
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
    help: 'Connections closed to stay within a limit, by reason',
    labels: ['reason'],
  })
  const shortages = metrics.gauge({
    name: 'edge_shortage',
    help: 'Whether visitors are turned away for want of something, by what: 1 or 0 per process',
    labels: ['of'],
  })
  const challenges = metrics.counter({
    name: 'challenge_requests_total',
    help: 'Requests for ACME challenges, by result',
    labels: ['result'],
  })
  const unreadable = metrics.counter({
    name: 'certificate_store_errors_total',
    help: 'Handshakes refused because the store failed and no context was at hand',
  })
  const seconds = metrics.durations(
    { name: 'request_seconds', help: 'Time from the end of a head to the end of its answer' },
    REQUEST_SECONDS,
  )
  const countAnswer = {
    http: answerCounter(requests, 'http'),
    https: answerCounter(requests, 'https'),
  }
  return {
    handshake: (result: HandshakeResult) => handshakes.of({ result }).add(),
    servedPastItsTime: (why: 'expired' | 'revoked') => pastTheirTime.inc({ why }),
    answered: (status: number, scheme: 'http' | 'https') => countAnswer[scheme](status),
    /** From the end of a request's head to the end of its answer. */
    took: (ms: number) => seconds.observe(ms / 1000),
    /** One of the answers, as it was sampled. Counted already. */
    accessed: (access: Access) => {
      seconds.exemplify(access.ms / 1000, access.requestId, access.at)
      const { at: _at, ...fields } = access
      log.info('request', fields)
    },
    refused: (rule: string) => refusals.inc({ rule }),
    challengeAsked: (result: 'answered' | 'unknown') => challenges.inc({ result }),
    connectionsOpen: (count: number) => connections.set(count),
    connectionShed: (reason: ShedReason) => shed.inc({ reason }),
    descriptorsTight: (facts: { readonly limit: number; readonly connections: number }) =>
      log.warn('edge-descriptors-tight', { ...facts, fix: RAISE_DESCRIPTORS }),
    shortageBegan: (of: Shortage) => {
      shortages.set({ of }, 1)
      log.warn('edge-shortage-began', { of })
    },
    shortageEnded: (of: Shortage) => {
      shortages.set({ of }, 0)
      log.info('edge-shortage-ended', { of })
    },
    ...createBackendRecord({ log, metrics }),
    ...createSelfTestRecord({ log, metrics }),
    /** No context was there to go on with. That the store is away is said once, and not here. */
    certificateUnreadable: (facts: { readonly hostname: string; readonly error: unknown }) => {
      unreadable.inc()
      log.debug('certificate-unreadable', facts)
    },
    /** A bug or a store that is away: the visitor got a 500, or no certificate. */
    failed: (during: string, error: unknown) => log.error('edge-failed', { during, error }),
    listening: (addresses: readonly string[]) => log.info('edge-listening', { addresses }),
    drained: (facts: { readonly destroyed: number }) => log.info('edge-drained', facts),
  }
}

function createBackendRecord({
  log,
  metrics,
}: {
  readonly log: Pick<Log, 'info' | 'warn'>
  readonly metrics: Pick<Metrics, 'counter'>
}) {
  const rescues = metrics.counter({
    name: 'links_rescued_total',
    help: 'Signed links answered in place of the backend, by how that let them down',
    labels: ['reason'],
  })
  const backendFailures = metrics.counter({
    name: 'backend_failures_total',
    help: 'Requests that the backend did not answer, by reason',
    labels: ['reason'],
  })
  return {
    linkRescued: (reason: 'error-answer' | 'cut-short' | 'too-slow' | 'not-asked') =>
      rescues.inc({ reason }),
    /** A hit that the backend missed was sent to it, and waits on. */
    owedNotTaken: (facts: {
      readonly backend: string
      readonly why: string
      readonly requestId: string
    }) => log.info('owed-hit-not-taken', facts),
    backendFailed: (failure: BackendFailure) => {
      backendFailures.inc({ reason: failure.reason })
      log.warn('backend-failed', { ...failure })
    },
    /** A request that no backend was asked for, because each of them rests. */
    backendResting: () => backendFailures.inc({ reason: 'resting' }),
    backendPaused: (facts: { readonly backend: string; readonly pauseMs: number }) =>
      log.warn('backend-paused', facts),
    backendBack: (facts: { readonly backend: string }) => log.info('backend-back', facts),
  }
}

function createSelfTestRecord({
  log,
  metrics,
}: {
  readonly log: Pick<Log, 'debug' | 'warn' | 'error'>
  readonly metrics: Pick<Metrics, 'gauge'>
}) {
  const selfTest = metrics.gauge({
    name: 'edge_self_test_failed',
    help: 'Whether Node and OpenSSL do as the edge relies on, by check: 1 (not) or 0 per process',
    labels: ['check'],
  })
  return {
    selfTested: ({ findings, passed, late, ms }: SelfTestReport) => {
      for (const check of passed) selfTest.set({ check }, 0)
      for (const { check, why, weight } of findings) {
        selfTest.set({ check }, 1)
        log[weight === 'unsafe' ? 'error' : 'warn']('edge-self-test-failed', { check, why, weight })
      }
      if (late.length > 0) log.warn('edge-self-test-late', { checks: late })
      log.debug('edge-self-tested', { passed: passed.length, failed: findings.length, ms })
    },
  }
}

const RAISE_DESCRIPTORS =
  'Allow more open files: LimitNOFILE=65536 (systemd), `ulimit -Hn`, --ulimit nofile= (Docker).'

/** A redirect takes one millisecond in this process, and a slow backend seconds. */
const REQUEST_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30]

/** By class of status, without a look-up by labels for each request. */
function answerCounter(
  requests: Tallies<'class' | 'scheme'>,
  scheme: 'http' | 'https',
): (status: number) => void {
  const tallies = [1, 2, 3, 4, 5].map((first) => requests.of({ class: `${first}xx`, scheme }))
  return (status) => tallies[Math.floor(status / 100) - 1]?.add()
}
