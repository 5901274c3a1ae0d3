import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'

export type EventsRecord = ReturnType<typeof createEventsRecord>

/** A delivery to an account's webhook. URLs stay out: they may hold a password. */
export interface DeliveryFields {
  readonly account: string
  readonly eventId: string
  readonly attempt: number
}

/** What events and webhooks have to say. */
export function createEventsRecord({
  log,
  metrics,
}: {
  readonly log: Pick<Log, 'debug' | 'info' | 'warn' | 'error'>
  readonly metrics: Pick<Metrics, 'counter' | 'gauge'>
}) {
  const deliveries = metrics.counter({
    name: 'webhook_deliveries_total',
    help: 'Attempts to deliver an event to a webhook, by outcome',
    labels: ['outcome'],
  })
  const givenUp = metrics.counter({
    name: 'webhook_given_up_total',
    help: 'Events that nobody took in days, or that were rejected, by cause',
    labels: ['cause'],
  })
  const waiting = metrics.gauge({
    name: 'webhook_waiting',
    help: 'Events on their way to webhooks',
  })
  const oldest = metrics.gauge({
    name: 'webhook_oldest_waiting_seconds',
    help: 'For how long the oldest of them has been waiting',
  })
  const failing = metrics.gauge({
    name: 'webhooks_failing',
    help: 'Accounts whose webhook did not take the last delivery',
  })
  const failures = metrics.counter({
    name: 'events_errors_total',
    help: 'Faults of our own around events and webhooks, by place',
    labels: ['place'],
  })
  return {
    delivered: (delivery: DeliveryFields): void => {
      deliveries.inc({ outcome: 'delivered' })
      log.debug('webhook-delivered', { ...delivery })
    },
    /** The first failure of a receiver is news; the others are expected. */
    failed: ({ failures: inARow, ...rest }: DeliveryFields & FailureFields): void => {
      deliveries.inc({ outcome: 'failed' })
      if (inARow === 1) log.warn('webhook-failed', { ...rest, failures: inARow })
      else log.debug('webhook-failed', { ...rest, failures: inARow })
    },
    wellAgain: (webhook: { readonly account: string; readonly failures: number }): void => {
      log.info('webhook-well-again', webhook)
    },
    rejected: (delivery: DeliveryFields): void => {
      deliveries.inc({ outcome: 'rejected' })
      givenUp.inc({ cause: 'rejected' })
      log.info('webhook-rejected', { ...delivery })
    },
    givenUp: (events: { readonly account: string; readonly count: number }): void => {
      givenUp.inc({ cause: 'too-old' }, events.count)
      log.warn('webhook-given-up', events)
    },
    dropped: (events: { readonly account: string; readonly count: number }): void => {
      givenUp.inc({ cause: 'removed' }, events.count)
      log.info('webhook-removed', events)
    },
    webhookSet: (webhook: { readonly account: string }): void => log.info('webhook-set', webhook),
    /** Its key does not open: only setting it anew helps. */
    keyUnreadable: (failure: { readonly account: string; readonly error: unknown }): void => {
      failures.inc({ place: 'webhook-key' })
      log.error('webhook-key-unreadable', failure)
    },
    turnFailed: (failure: { readonly account: string; readonly error: unknown }): void => {
      failures.inc({ place: 'webhook' })
      log.error('webhook-turn-failed', failure)
    },
    loopFailed: (failure: { readonly loop: string; readonly error: unknown }): void => {
      failures.inc({ place: failure.loop })
      log.error('events-loop-failed', failure)
    },
    webhooksAre: (status: WebhooksFigures): void => {
      waiting.set(status.waiting)
      oldest.set(status.oldestSeconds)
      failing.set(status.failing)
    },
    eventsPruned: (events: { readonly count: number }): void => log.info('events-pruned', events),
  }
}

interface FailureFields {
  readonly problem: string
  /** Of this receiver, in a row. */
  readonly failures: number
}

interface WebhooksFigures {
  readonly waiting: number
  readonly oldestSeconds: number
  readonly failing: number
}
