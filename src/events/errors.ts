import { AppError } from '../kernel/index.ts'

/** What can be wrong with a request about events and webhooks. */
export type EventsErrorCode =
  | 'events/bad-url' // a webhook cannot be there, or must not
  | 'events/no-webhook'

export class EventsError extends AppError<EventsErrorCode> {
  override readonly name = 'EventsError'
}
