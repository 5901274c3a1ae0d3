import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'

/** The events of the program as a whole: its processes, its start and its end. */
export type AppRecord = ReturnType<typeof createAppRecord>

export function createAppRecord({
  log,
  metrics,
}: {
  readonly log: Log
  readonly metrics: Metrics
}) {
  const deaths = metrics.counter({
    name: 'edge_worker_deaths_total',
    help: 'Edge workers that ended without being told to',
  })
  const faults = metrics.counter({
    name: 'background_failures_total',
    help: 'Rounds of background work that failed, by loop',
    labels: ['loop'],
  })
  return {
    started: (facts: { http: string; https: string; api: string; workers: number; ms: number }) =>
      log.info('started', facts),
    stopping: (facts: { because: string }) => log.info('stopping', facts),
    stopped: () => log.info('stopped'),
    workerDied: (facts: {
      pid: number | undefined
      code: number | null
      signal: string | null
      failure?: object | undefined
    }) => {
      deaths.inc()
      log.error('edge-worker-died', facts)
    },
    /** It is ended for that, and replaced. */
    workerStuck: (facts: { pid: number | undefined; unansweredPolls: number }) =>
      log.error('edge-worker-stuck', facts),
    workerReplaced: (facts: { pid: number | undefined }) => log.info('edge-worker-replaced', facts),
    workerCannotStart: (facts: { error: unknown }) => log.error('edge-worker-cannot-start', facts),
    confirmationFailed: (facts: { hostname: string; error: unknown }) =>
      log.warn('edge-confirmation-failed', facts),
    backgroundFailed: ({ loop, error }: { loop: string; error: unknown }) => {
      faults.inc({ loop })
      log.error('background-failed', { loop, error })
    },
    reloaded: (facts: { keys: 'changed' | 'unchanged'; needRestart: readonly string[] }) =>
      log.info('configuration-reloaded', facts),
    reloadRefused: (facts: { error: unknown }) => log.error('configuration-refused', facts),
  }
}
