import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'

/** What an edge worker's directory of hosts has to say. */
export function createHostsRecord({
  log,
  metrics,
}: {
  readonly log: Log
  readonly metrics: Metrics
}) {
  const unreadable = metrics.counter({
    name: 'membership_store_errors_total',
    help: 'Times that membership was answered from the fingerprint because the store failed',
  })
  return {
    directoryLoaded: (directory: { readonly hosts: number; readonly bytes: number }): void => {
      log.info('host-directory-loaded', directory)
    },
    membershipUnreadable: (failure: {
      readonly hostname: string
      readonly error: unknown
    }): void => {
      unreadable.inc()
      // That the store is away is said once; this would say it once per host.
      log.debug('membership-unreadable', failure)
    },
  }
}

export type HostsRecord = ReturnType<typeof createHostsRecord>
