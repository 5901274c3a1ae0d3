/**
 * events: what happened, for an account to read, and webhooks, by which it is told: signed, at least
 * once, retried for days. Knows neither hosts nor certificates: events say what they say.
 */
export type { EventsErrorCode } from './errors.ts'
export type { AccountEvent, EventDraft, EventKind } from './event.ts'
export {
  createEventLog,
  type EventLog,
  type EventPage,
  type EventsPageRequest,
} from './event-log.ts'
export type { EventsOptions } from './options.ts'
export type { Webhook, WebhooksStatus, WebhookTest } from './webhook.ts'
export { createWebhooks, type Webhooks } from './webhooks.ts'
