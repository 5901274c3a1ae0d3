import { z } from 'zod'

/*
 * The native API on the wire (/api/v1): shared by server, command line and panel, so that none of
 * them can drift. Instants are ISO 8601 in UTC; unknown fields are refused in requests.
 */

/** Items of a page unless asked for otherwise, and the most that one request gets. */
const PAGE_ITEMS_DEFAULT = 100
const PAGE_ITEMS_MAX = 1000
/** Cursors are ids or hostnames: nothing longer was made by us. */
const CURSOR_CHARACTERS_MAX = 300
/** RFC 1035's 253, and room for a dot or capital to be forgiven. */
const NAME_CHARACTERS_MAX = 300
/** What browsers and mail clients still carry as one URL. */
const URL_CHARACTERS_MAX = 4000
const REFERENCE_CHARACTERS_MAX = 200

const instant = z.iso.datetime()
const typedName = z.string().min(1).max(NAME_CHARACTERS_MAX)

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

/** Why something waits or failed: what was seen, and what to do about it. */
const reasonSchema = z
  .object({ code: z.string(), sentence: z.string(), fix: z.string() })
  .meta({ id: 'Reason' })

/** One thing that was looked at before asking a CA. */
const checkSchema = z
  .object({
    name: z.string(),
    ok: z.boolean(),
    seen: z.string(),
    expected: z.string().optional(),
  })
  .meta({ id: 'Check' })

const certificateFields = {
  serial: z.string(),
  issuer: z.string(),
  notBefore: instant,
  notAfter: instant,
  renewAt: instant,
  renewBecause: z.string(),
}

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

/** A certificate that we hold. */
export const certificateSchema = z
  .object({
    id: z.string(),
    host: z.string(),
    ...certificateFields,
    source: z.string(),
    current: z.boolean(),
    createdAt: instant,
  })
  .meta({ id: 'Certificate' })
export type WireCertificate = z.infer<typeof certificateSchema>

/** Chain and private key, to be used elsewhere. */
export const exportedCertificateSchema = z
  .object({ certificate: certificateSchema, pem: z.string() })
  .meta({ id: 'ExportedCertificate' })

/** Accounts at certificate authorities and what is under way there. */
export const acmeStatusSchema = z
  .object({
    authority: z.object({ name: z.string(), directoryUrl: z.string() }),
    accounts: z.array(
      z.object({ directoryUrl: z.string(), url: z.string().nullable(), createdAt: instant }),
    ),
    openOrders: z.array(
      z.object({
        host: z.string(),
        state: z.string(),
        url: z.string().nullable(),
        createdAt: instant,
      }),
    ),
  })
  .meta({ id: 'AcmeStatus' })
export type WireAcmeStatus = z.infer<typeof acmeStatusSchema>

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

/** Which key-encryption keys there are, and how many secrets rest under each. */
export const keyStatusSchema = z
  .object({
    keys: z.array(
      z.object({ keyId: z.string(), current: z.boolean(), secrets: z.int().nonnegative() }),
    ),
  })
  .meta({ id: 'KeyStatus' })
export type WireKeyStatus = z.infer<typeof keyStatusSchema>

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
export const certificatePageSchema = pageOf(certificateSchema).meta({ id: 'CertificatePage' })
export const hitPageSchema = pageOf(hitSchema).meta({ id: 'HitPage' })

const pageQuery = {
  limit: z.coerce.number().int().min(1).max(PAGE_ITEMS_MAX).default(PAGE_ITEMS_DEFAULT),
  cursor: z.string().min(1).max(CURSOR_CHARACTERS_MAX).optional(),
}

export const addHostBody = z.strictObject({ host: typedName, domain: typedName.optional() })
/** For requests that say everything in their path. */
export const noBody = z.strictObject({}).nullish()
export const hostParams = z.object({ host: z.string() })
export const certificateParams = z.object({ certificate: z.string() })
export const hostsQuery = z.strictObject({
  ...pageQuery,
  state: hostStateSchema.optional(),
  q: z.string().max(NAME_CHARACTERS_MAX).optional(),
})
export const historyQuery = z.strictObject(pageQuery)
export const certificatesQuery = z.strictObject({
  ...pageQuery,
  expiringBefore: z.iso.datetime({ offset: true }).or(z.iso.date()).optional(),
})
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

/** Part of a longer list. `nextCursor` fetches what follows; `null` when nothing does. */
function pageOf<Item extends z.ZodType>(item: Item) {
  return z.object({ items: z.array(item), nextCursor: z.string().nullable() })
}
