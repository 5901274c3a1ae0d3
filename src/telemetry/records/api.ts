import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'

/** What happens at the API. Routes are patterns (`/hosts/:host`): no names, no queries, no bodies. */
export function createApiRecord({
  log,
  metrics,
}: {
  readonly log: Log
  readonly metrics: Pick<Metrics, 'counter'>
}) {
  const requests = metrics.counter({
    name: 'api_requests_total',
    help: 'Requests to the API, by method and status',
    labels: ['method', 'status'],
  })
  const failedLogins = metrics.counter({
    name: 'api_authentication_failures_total',
    help: 'Requests to the API with a missing or wrong key',
  })

  return {
    /** Reads are noise; what changes something is kept. */
    requestAnswered(answered: ApiRequestAnswered): void {
      requests.inc({ method: answered.method, status: String(answered.status) })
      const isRead = answered.method === 'GET' || answered.method === 'HEAD'
      if (isRead || answered.status === 401) log.debug('api-request', { ...answered })
      else log.info('api-request', { ...answered })
    },
    /** A bug, or a part behind the API in trouble: the caller only gets the request's id. */
    requestFailed(failed: { readonly requestId: string; readonly error: unknown }): void {
      log.error('api-request-failed', failed)
    },
    authenticationFailed(failed: { readonly address: string; readonly failures: number }): void {
      failedLogins.inc()
      log.debug('api-authentication-failed', failed)
    },
    /** Once per address and window, however often it tries. */
    addressThrottled(throttled: { readonly address: string; readonly until: Date }): void {
      log.warn('api-address-throttled', throttled)
    },
    keyExported(exported: { readonly certificateId: string; readonly requestId: string }): void {
      log.warn('certificate-key-exported', exported)
    },
  }
}

export type ApiRecord = ReturnType<typeof createApiRecord>

interface ApiRequestAnswered {
  readonly requestId: string
  readonly method: string
  readonly route: string
  readonly status: number
  readonly ms: number
}
