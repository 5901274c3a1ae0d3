import { z } from 'zod'
import { NOTICE_KINDS } from '../../kernel/index.ts'
import {
  accountId,
  instant,
  pageOf,
  pageQuery,
  typedName,
  URL_CHARACTERS_MAX,
} from './wire-words.ts'

/** All webhooks together. */
export const webhooksStatusSchema = z
  .object({
    waiting: z.int().nonnegative(),
    waitingSince: instant.nullable(),
    /** Accounts that did not take the last delivery. */
    failing: z.int().nonnegative(),
  })
  .meta({ id: 'WebhooksStatus' })

const accountSchema = z
  .object({ account: z.string(), name: z.string(), createdAt: instant })
  .meta({ id: 'Account' })
export type WireAccount = z.infer<typeof accountSchema>

/** Something that happened and that an account was told. */
const eventSchema = z
  .object({
    id: z.string(),
    at: instant,
    account: z.string(),
    kind: z.string(),
    host: z.string().nullable(),
    data: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Event' })
export type WireEvent = z.infer<typeof eventSchema>

const webhookFields = { account: z.string(), url: z.string() }

/** Where an account is told, and how that goes. */
export const webhookSchema = z
  .object({
    ...webhookFields,
    createdAt: instant,
    /** Events that have not been delivered yet. */
    waiting: z.int().nonnegative(),
    waitingSince: instant.nullable(),
    /** Events that nobody took for days, and that are not sent any more. */
    givenUp: z.int().nonnegative(),
    /** Why the last delivery failed; `null` if it did not. */
    problem: z.string().nullable(),
    problemAt: instant.nullable(),
    /** In a row. */
    failures: z.int().nonnegative(),
    nextAttemptAt: instant.nullable(),
    deliveredAt: instant.nullable(),
  })
  .meta({ id: 'Webhook' })
export type WireWebhook = z.infer<typeof webhookSchema>

/** With the key that signs the deliveries: shown this once. */
export const setWebhookSchema = z
  .object({ ...webhookFields, signingKey: z.string() })
  .meta({ id: 'SetWebhook' })

export const removedWebhookSchema = z
  .object({ account: z.string(), removed: z.boolean() })
  .meta({ id: 'RemovedWebhook' })

/** How one delivery went that was made to see. */
export const webhookTestSchema = z
  .object({
    delivered: z.boolean(),
    eventId: z.string(),
    /** What the receiver answered, if it did. */
    status: z.int().nullable(),
    problem: z.string().nullable(),
    ms: z.number().nonnegative(),
  })
  .meta({ id: 'WebhookTest' })
export type WireWebhookTest = z.infer<typeof webhookTestSchema>

export const accountPageSchema = pageOf(accountSchema).meta({ id: 'AccountPage' })
export const eventPageSchema = pageOf(eventSchema).meta({ id: 'EventPage' })

export const accountParams = z.object({ account: accountId })
export const accountsQuery = z.strictObject(pageQuery)
export const setWebhookBody = z.strictObject({
  url: z.url({ protocol: /^https?$/ }).max(URL_CHARACTERS_MAX),
})
export const eventsQuery = z.strictObject({
  ...pageQuery,
  account: accountId.optional(),
  host: typedName.optional(),
  kind: z.enum([...NOTICE_KINDS, 'test']).optional(),
})
