import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'

/** What happens between us and the certificate authorities. */
export function createAcmeRecord({
  log,
  metrics,
}: {
  readonly log: Log
  readonly metrics: Pick<Metrics, 'counter' | 'histogram'>
}) {
  const orders = metrics.counter({
    name: 'orders_total',
    help: 'Orders at certificate authorities, by outcome',
    labels: ['ca', 'outcome'],
  })
  const requests = metrics.counter({
    name: 'acme_requests_total',
    help: 'Requests to certificate authorities, by status',
    labels: ['status'],
  })
  const seconds = metrics.histogram(
    {
      name: 'issuance_seconds',
      help: 'From the intention to a saved certificate',
      labels: ['ca'],
    },
    ISSUANCE_BUCKETS_SECONDS,
  )

  return {
    accountRegistered(made: { readonly ca: string; readonly url: string }): void {
      log.info('acme-account-registered', made)
    },
    requestAnswered({ status, ms }: { readonly status: number; readonly ms: number }): void {
      requests.inc({ status: String(status) })
      log.debug('acme-request', { status, ms: Math.round(ms) })
    },
    /** An order left open by an earlier attempt, perhaps of a process that was killed. */
    orderPickedUp(order: { readonly hostname: string; readonly state: string }): void {
      log.info('acme-order-picked-up', order)
    },
    /** The CA will not finish it: a new one takes its place. */
    orderGivenUp(order: { readonly hostname: string; readonly because: string }): void {
      log.warn('acme-order-given-up', order)
    },
    certificateIssued(issued: CertificateIssued): void {
      orders.inc({ ca: issued.ca, outcome: 'issued' })
      seconds.observe({ ca: issued.ca }, issued.ms / 1000)
      log.info('certificate-issued', { ...issued, ms: Math.round(issued.ms) })
    },
    /** The reason is for the host's owner as well; the code is the CA's side of it. */
    issuanceRefused(refused: IssuanceRefused): void {
      orders.inc({ ca: refused.ca, outcome: refused.code })
      log.warn('issuance-refused', { ...refused })
    },
  }
}

export type AcmeRecord = ReturnType<typeof createAcmeRecord>

interface CertificateIssued {
  readonly ca: string
  readonly hostname: string
  readonly certificateId: string
  readonly notAfter: Date
  readonly renewAt: Date
  readonly ms: number
}

interface IssuanceRefused {
  readonly ca: string
  readonly hostname: string
  readonly code: string
  readonly sentence: string
  readonly retryAt: Date | undefined
}

const ISSUANCE_BUCKETS_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120]
