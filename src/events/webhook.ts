/** Where an account is told, and how that goes. */
export interface Webhook {
  readonly account: string
  readonly url: string
  readonly createdAt: Date
  /** Events that have not been delivered yet. */
  readonly waiting: number
  /** Since when the oldest of them waits. */
  readonly waitingSince: Date | undefined
  /** Events that nobody took for days, or that were rejected: they are not sent any more. */
  readonly givenUp: number
  /** What was seen last, as a sentence; `undefined` if the last delivery went well. */
  readonly problem: string | undefined
  readonly problemAt: Date | undefined
  /** Deliveries that failed in a row. */
  readonly failures: number
  /** When the next delivery is tried; `undefined` if nothing waits. */
  readonly nextAttemptAt: Date | undefined
  readonly deliveredAt: Date | undefined
}

/** How the delivery of a test event went. */
export interface WebhookTest {
  readonly eventId: string
  /** The receiver's answer, if there was one. */
  readonly status: number | undefined
  /** Why it does not count as delivered, as a sentence; `undefined` if it does. */
  readonly problem: string | undefined
  /** How long it took. */
  readonly ms: number
}

/** All webhooks together. */
export interface WebhooksStatus {
  readonly waiting: number
  readonly waitingSince: Date | undefined
  /** Accounts whose last delivery failed. */
  readonly failing: number
}
