import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'

/** What happens between us and the certificate authorities. */
export function createAcmeRecord({
  log,
  metrics,
}: {
  readonly log: Log
  readonly metrics: Pick<Metrics, 'counter' | 'gauge' | 'histogram'>
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
    ...createBudgetRecord({ log, metrics }),
    ...createAuthorityRecord({ log, metrics }),
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

/** What CAs are like, and what we ask of them besides certificates. */
function createAuthorityRecord({
  log,
  metrics,
}: {
  readonly log: Log
  readonly metrics: Pick<Metrics, 'counter' | 'gauge'>
}) {
  const elsewhere = metrics.counter({
    name: 'acme_failovers_total',
    help: 'Orders placed at another certificate authority than the preferred one, by cause',
    labels: ['ca', 'because'],
  })
  const authorities = metrics.gauge({
    name: 'acme_authority_up',
    help: 'Whether a certificate authority may be asked now; absent until something was wrong',
    labels: ['ca'],
  })
  const windows = metrics.counter({
    name: 'acme_windows_asked_total',
    help: 'Questions when to renew (ARI), by outcome',
    labels: ['ca', 'outcome'],
  })

  return {
    /** It is asked for on its own then, which counts against more of the CA's limits. */
    replacesRefused(order: {
      readonly ca: string
      readonly hostname: string
      readonly code: string
    }): void {
      log.warn('acme-replaces-refused', order)
    },
    /** The profile was withdrawn, and the certificate could not wait for another setting. */
    defaultProfileTaken(order: {
      readonly ca: string
      readonly hostname: string
      readonly profile: string
    }): void {
      log.warn('acme-default-profile-taken', order)
    },
    /** Not at the CA that is preferred; `because` says what is wrong with that one. */
    orderGoesElsewhere(order: {
      readonly ca: string
      readonly hostname: string
      readonly because: string
    }): void {
      elsewhere.inc({ ca: order.ca, because: order.because })
      log.info('acme-order-goes-elsewhere', order)
    },
    /** The CA is away (`downSince`), or has told all of us to wait. */
    authorityTroubled(trouble: AuthorityTroubled): void {
      authorities.set({ ca: trouble.ca }, 0)
      log.warn('acme-authority-troubled', { ...trouble })
    },
    authorityBack({ ca }: { readonly ca: string }): void {
      authorities.set({ ca }, 1)
      log.info('acme-authority-back', { ca })
    },
    certificateRevoked(revoked: {
      readonly ca: string
      readonly hostname: string
      readonly certificateId: string
      readonly reason: string
    }): void {
      log.info('certificate-revoked', revoked)
    },
    /** What the host had proved to the CA does not count any more. */
    authorizationsGivenUp(given: {
      readonly ca: string
      readonly hostname: string
      readonly authorizations: number
    }): void {
      log.info('acme-authorizations-given-up', given)
    },
    /** The CA suggests when to renew (RFC 9773), or gave no answer that can be used. */
    windowAsked(asked: {
      readonly ca: string
      readonly hostname: string
      readonly outcome: 'window' | 'none' | 'bad-answer' | 'failed'
      readonly explanationUrl?: string | undefined
    }): void {
      windows.inc({ ca: asked.ca, outcome: asked.outcome })
      if (asked.explanationUrl === undefined) log.debug('acme-window-asked', asked)
      else log.info('acme-window-asked', asked)
    },
  }
}

/** What concerns the CAs' limits. */
function createBudgetRecord({
  log,
  metrics,
}: {
  readonly log: Log
  readonly metrics: Pick<Metrics, 'counter' | 'gauge'>
}) {
  const unforeseen = metrics.counter({
    name: 'acme_unforeseen_rate_limits_total',
    help: 'Orders refused for a rate limit that our own count should have foreseen',
    labels: ['ca'],
  })
  const budget = metrics.gauge({
    name: 'acme_budget_left_orders',
    help: 'Orders that a limit of the whole account still allows',
    labels: ['ca', 'limit'],
  })

  return {
    /** A bug, or figures of the CA's that are not what we believe: somebody must look. */
    unforeseenRateLimit(refusal: UnforeseenRateLimit): void {
      unforeseen.inc({ ca: refusal.ca })
      log.error('acme-unforeseen-rate-limit', { ...refusal })
    },
    /** Seen whenever budgets are looked at. */
    budgetLeft({ ca, limit, left }: BudgetLeft): void {
      budget.set({ ca, limit }, left)
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

interface AuthorityTroubled {
  readonly ca: string
  readonly code: string
  readonly why: string
  readonly downSince: Date | undefined
  readonly heldUntil: Date
}

interface IssuanceRefused {
  readonly ca: string
  readonly hostname: string
  readonly code: string
  readonly sentence: string
  readonly retryAt: Date | undefined
}

interface UnforeseenRateLimit {
  readonly ca: string
  readonly hostname: string
  readonly retryAt: Date
  /** `account`: several names at once, so that the whole account waits. */
  readonly scope: 'account' | 'name'
}

interface BudgetLeft {
  readonly ca: string
  readonly limit: string
  readonly left: number
}

const ISSUANCE_BUCKETS_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120]
