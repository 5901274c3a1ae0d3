import { z } from 'zod'
import { certificateFields } from './certificate-contract.ts'
import {
  accountId,
  instant,
  NAME_CHARACTERS_MAX,
  pageOf,
  pageQuery,
  reasonSchema,
  typedName,
  URL_CHARACTERS_MAX,
} from './wire-words.ts'

export {
  accountPageSchema,
  accountParams,
  accountsQuery,
  eventPageSchema,
  eventsQuery,
  removedWebhookSchema,
  setWebhookBody,
  setWebhookSchema,
  type WireAccount,
  type WireEvent,
  type WireWebhook,
  type WireWebhookTest,
  webhookSchema,
  webhooksStatusSchema,
  webhookTestSchema,
} from './account-contract.ts'
export {
  acmeStatusSchema,
  type WireAcmeStatus,
  type WireAuthority,
  type WireForecast,
} from './acme-contract.ts'
export {
  bringCertificateBody,
  certificatePageSchema,
  certificateParams,
  certificateSchema,
  certificatesQuery,
  exportedCertificateSchema,
  exportedPkcs12Schema,
  exportPkcs12Body,
  REVOCATION_REASONS,
  revokeCertificateBody,
  type WireCertificate,
  type WireRevocationReason,
} from './certificate-contract.ts'
export {
  keyStatusSchema,
  rotatedKeysSchema,
  rotateKeysBody,
  type WireKey,
  type WireKeyRotation,
  type WireKeyStatus,
  type WireRotatedKeys,
} from './key-contract.ts'

/*
 * The native API on the wire (/api/v1): shared by server, command line and panel, so that none of
 * them can drift. Instants are ISO 8601 in UTC; unknown fields are refused in requests.
 */

const REFERENCE_CHARACTERS_MAX = 200

/** Where a host stands in its life. */
export const hostStateSchema = z.enum([
  'waiting-for-dns',
  'issuing',
  'active',
  'failing',
  'paused',
  'retired',
])
export type WireHostState = z.infer<typeof hostStateSchema>

/** One thing that was looked at before asking a CA. */
const checkSchema = z
  .object({
    name: z.string(),
    ok: z.boolean(),
    seen: z.string(),
    expected: z.string().optional(),
  })
  .meta({ id: 'Check' })

/** A tracking host. */
export const hostSchema = z
  .object({
    host: z.string(),
    domain: z.string(),
    state: hostStateSchema,
    reason: reasonSchema.nullable(),
    httpsSafe: z.boolean(),
    certificate: z.object(certificateFields).nullable(),
    checks: z.array(checkSchema),
    nextAttemptAt: instant.nullable(),
    account: z.string(),
    /** Who provides its certificates: our CA, or the customer. */
    certificateFrom: z.enum(['acme', 'customer']),
    /** Our CA takes over when what the customer brought ends. */
    takeOver: z.boolean(),
    /** Since when it waits for room at a CA. */
    queuedAt: instant.nullable(),
    /** Since when its DNS does not lead to us any more, of a host that once was active. */
    leftAt: instant.nullable(),
  })
  .meta({ id: 'Host' })
export type WireHost = z.infer<typeof hostSchema>

/** One step in the life of a host. */
const historyEntrySchema = z
  .object({
    at: instant,
    step: z.string(),
    outcome: z.string(),
    code: z.string().nullable(),
    sentence: z.string(),
  })
  .meta({ id: 'HistoryEntry' })
export type WireHistoryEntry = z.infer<typeof historyEntrySchema>

/** One open or click. */
const hitSchema = z
  .object({
    id: z.string(),
    at: instant,
    kind: z.string(),
    host: z.string(),
    reference: z.string(),
    target: z.string().nullable(),
    address: z.string(),
    userAgent: z.string(),
  })
  .meta({ id: 'Hit' })
export type WireHit = z.infer<typeof hitSchema>

export const signedLinkSchema = z.object({ url: z.string() }).meta({ id: 'SignedLink' })

/** Serving, or why not. */
export const readinessSchema = z
  .object({ ready: z.boolean(), reasons: z.array(reasonSchema) })
  .meta({ id: 'Readiness' })

/** What every refusal looks like. */
export const errorSchema = z
  .object({
    error: z.object({
      /** Stable: programs match on it. */
      code: z.string(),
      message: z.string(),
      fix: z.string().optional(),
      retryAt: instant.optional(),
      /** In the log, too. */
      requestId: z.string().optional(),
    }),
  })
  .meta({ id: 'Error' })
export type WireError = z.infer<typeof errorSchema>

export const hostPageSchema = pageOf(hostSchema).meta({ id: 'HostPage' })
export const historyPageSchema = pageOf(historyEntrySchema).meta({ id: 'HistoryPage' })
export const hitPageSchema = pageOf(hitSchema).meta({ id: 'HitPage' })

/** The operator's own account, there from the beginning: whose hosts are unless told otherwise. */
export const ACCOUNT_DEFAULT = 'default'

export const addHostBody = z.strictObject({
  host: typedName,
  domain: typedName.optional(),
  account: accountId.default(ACCOUNT_DEFAULT),
})
/** For requests that say everything in their path. */
export const noBody = z.strictObject({}).nullish()
export const hostParams = z.object({ host: z.string() })
export const hostsQuery = z.strictObject({
  ...pageQuery,
  state: hostStateSchema.optional(),
  q: z.string().max(NAME_CHARACTERS_MAX).optional(),
  account: accountId.optional(),
})
export const historyQuery = z.strictObject(pageQuery)
export const hitsQuery = z.strictObject({ ...pageQuery, host: typedName.optional() })

const reference = z.string().max(REFERENCE_CHARACTERS_MAX).default('')
export const linkBody = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('click'),
    host: typedName,
    target: z.url({ protocol: /^https?$/ }).max(URL_CHARACTERS_MAX),
    reference,
  }),
  z.strictObject({ kind: z.literal('open'), host: typedName, reference }),
])
