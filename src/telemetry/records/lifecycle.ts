import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'

/** A step of a host, as logs and counters see it. */
export interface HostStep {
  readonly hostname: string
  readonly step: string
  readonly outcome: string
  readonly code?: string | undefined
  readonly sentence: string
  readonly notice?: string | undefined
  readonly certificateId?: string | undefined
}

/** What moving hosts along has to say. */
export function createLifecycleRecord({
  log,
  metrics,
}: {
  readonly log: Pick<Log, 'debug' | 'info' | 'warn' | 'error'>
  readonly metrics: Pick<Metrics, 'counter' | 'gauge' | 'histogram'>
}) {
  const steps = metrics.counter({
    name: 'host_steps_total',
    help: 'Steps of hosts from added to active, by outcome',
    labels: ['step', 'outcome'],
  })
  const hosts = metrics.gauge({ name: 'hosts', help: 'Hosts by state', labels: ['state'] })
  const underWay = metrics.gauge({ name: 'hosts_under_way', help: 'Hosts being worked on now' })
  const failures = metrics.counter({
    name: 'lifecycle_errors_total',
    help: 'Faults of our own while moving hosts along, by place',
    labels: ['place'],
  })
  const untilActive = metrics.histogram(
    { name: 'host_run_seconds', help: 'From the look at a host to its certificate being served' },
    [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
  )
  const notices = metrics.counter({
    name: 'host_notices_total',
    help: 'What accounts were to be told about their hosts, by kind',
    labels: ['kind'],
  })
  const failed = (place: string, fields: Readonly<Record<string, unknown>>): void => {
    failures.inc({ place })
    log.error('lifecycle-failed', { place, ...fields })
  }

  return {
    ...createUpkeepRecord({ log, metrics }),
    stepTaken: ({ step, outcome, ...fields }: HostStep): void => {
      steps.inc({ step, outcome })
      if (fields.notice !== undefined) notices.inc({ kind: fields.notice })
      log.info('host-step', { step, outcome, ...fields })
    },
    /** The same as last time: not worth a line among the others. */
    stepRepeated: ({ step, outcome, ...fields }: HostStep): void => {
      steps.inc({ step, outcome })
      log.debug('host-step', { step, outcome, ...fields })
    },
    hostActive: (run: { readonly hostname: string; readonly seconds: number }): void => {
      untilActive.observe(run.seconds)
      log.info('host-active', run)
    },
    /** Somebody else took over, or the host was retired: what was under way is dropped. */
    leaseLost: (run: { readonly hostname: string }): void => log.warn('host-lease-lost', run),
    authorityUnknown: (failure: { readonly error: unknown }): void => {
      log.warn('ca-names-unknown', failure)
    },
    attendFailed: (failure: { readonly hostname: string; readonly error: unknown }): void => {
      failed('attend', failure)
    },
    loopFailed: (failure: { readonly loop: string; readonly error: unknown }): void => {
      failed(failure.loop, { error: failure.error })
    },
    edgeNameMissing: (): void => log.warn('edge-name-missing', { waiting: 'all hosts' }),
    hostsUnderWay: (count: number): void => underWay.set(count),
    hostsByState: (counts: Readonly<Record<string, number>>): void => {
      for (const [state, count] of Object.entries(counts)) hosts.set({ state }, count)
    },
  }
}

export type LifecycleRecord = ReturnType<typeof createLifecycleRecord>

/** What goes on beside single hosts: renewals that move, customers that leave, who waits. */
function createUpkeepRecord({
  log,
  metrics,
}: {
  readonly log: Pick<Log, 'info' | 'warn'>
  readonly metrics: Pick<Metrics, 'counter' | 'gauge'>
}) {
  const windows = metrics.counter({
    name: 'renewal_windows_total',
    help: 'Answers of CAs about when to renew, by what they changed',
    labels: ['result'],
  })
  const leaves = metrics.counter({
    name: 'host_leaves_total',
    help: 'Hosts that left and whose authorizations were deactivated, by outcome',
    labels: ['outcome'],
  })
  const queued = metrics.gauge({
    name: 'hosts_queued',
    help: "Hosts that are ready and wait for room in a CA's budget, by urgency",
    labels: ['urgency'],
  })

  return {
    /** A CA said when to renew; `moved`: not when we had planned it. */
    windowAnswered: (result: 'moved' | 'same' | 'none'): void => windows.inc({ result }),
    renewalMoved: (move: {
      readonly hostname: string
      readonly certificateId: string
      readonly renewAt: Date
      readonly because: string
      readonly explanationUrl?: string | undefined
    }): void => log.info('renewal-moved', move),
    hostLeft: (host: { readonly hostname: string }): void => {
      leaves.inc({ outcome: 'done' })
      log.info('host-left', host)
    },
    /** It is tried again, for as long as it takes. */
    leaveFailed: (failure: { readonly hostname: string; readonly error: unknown }): void => {
      leaves.inc({ outcome: 'failed' })
      log.warn('host-leave-failed', failure)
    },
    hostsPromoted: (count: number): void => log.warn('certificates-near-their-end', { count }),
    /** Somebody's clock was wrong when these were put off. */
    attemptsClamped: (count: number): void => log.warn('attempts-far-in-the-future', { count }),
    hostsQueued: (counts: Readonly<Record<string, number>>): void => {
      for (const [urgency, count] of Object.entries(counts)) queued.set({ urgency }, count)
    },
  }
}
