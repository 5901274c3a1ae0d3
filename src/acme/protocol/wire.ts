/** What a CA's replies look like (RFC 8555 §7.1), and our words for them. Unknown fields are let be. */
import { z } from 'zod'
import type { AcmeProblem } from '../errors.ts'

const httpsUrl = z.url({ protocol: /^https$/ })
const PROBLEM_PREFIX = /^urn:ietf:params:acme:error:/

const subproblem = z
  .object({
    type: z.string().default('serverInternal'),
    detail: z.string().default(''),
    identifier: z.object({ value: z.string() }).optional(),
  })
  .transform(({ type, detail, identifier }) => ({
    type: type.replace(PROBLEM_PREFIX, ''),
    detail,
    identifier: identifier?.value,
  }))

/** A problem document; so lenient that even a web server's own error page is one. */
export const problemSchema = z
  .object({
    type: z.string().default('about:blank'),
    detail: z.string().default(''),
    status: z.int().optional(),
    subproblems: z.array(subproblem).default([]),
  })
  .transform(
    ({ type, detail, status, subproblems }): AcmeProblem => ({
      type: type.replace(PROBLEM_PREFIX, ''),
      detail,
      status,
      subproblems,
    }),
  )

export const directorySchema = z
  .object({
    newNonce: httpsUrl,
    newAccount: httpsUrl,
    newOrder: httpsUrl,
    revokeCert: httpsUrl.optional(),
    /** RFC 9773 §3. */
    renewalInfo: httpsUrl.optional(),
    meta: z
      .object({
        termsOfService: z.string().optional(),
        caaIdentities: z.array(z.string()).default([]),
        externalAccountRequired: z.boolean().default(false),
        profiles: z.record(z.string(), z.string()).default({}),
      })
      .prefault({}),
  })
  .readonly()
export type Directory = z.output<typeof directorySchema>

export const accountSchema = z
  .object({ status: z.string().optional(), orders: httpsUrl.optional() })
  .readonly()

export const ordersListSchema = z.object({ orders: z.array(httpsUrl).default([]) }).readonly()

export const orderSchema = z
  .object({
    // 'deactivated' is no status of an order, but Pebble before 2.8.0 says it.
    status: z
      .enum(['pending', 'ready', 'processing', 'valid', 'invalid', 'deactivated'])
      .transform((status) => (status === 'deactivated' ? 'invalid' : status)),
    identifiers: z.array(z.object({ type: z.string(), value: z.string() })),
    authorizations: z.array(httpsUrl),
    finalize: httpsUrl,
    certificate: httpsUrl.optional(),
    error: problemSchema.optional(),
  })
  .readonly()
export type Order = z.output<typeof orderSchema> & {
  readonly url: string
  readonly retryAfterMs: number | undefined
}

/** RFC 9773 §4.2. Dates that are none are refused here, windows that make no sense by the plan. */
export const renewalInfoSchema = z
  .object({
    suggestedWindow: z.object({ start: instant(), end: instant() }),
    // Shown to people, and possibly as a link.
    explanationURL: z
      .url({ protocol: /^https?$/ })
      .optional()
      .catch(undefined),
  })
  .readonly()
export type RenewalInfo = z.output<typeof renewalInfoSchema>

function instant() {
  return z.iso.datetime({ offset: true }).transform((text) => new Date(text))
}

const challengeSchema = z.object({
  type: z.string(),
  url: httpsUrl,
  status: z.string(),
  /** base64url (RFC 8555 §8.3): it becomes part of a URL and a key of ours. */
  token: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,128}$/)
    .optional(),
  error: problemSchema.optional(),
})

export const authorizationSchema = z
  .object({
    status: z.string(),
    identifier: z.object({ type: z.string(), value: z.string() }),
    challenges: z.array(challengeSchema),
  })
  .readonly()
export type Authorization = z.output<typeof authorizationSchema>
