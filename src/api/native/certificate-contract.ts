import { z } from 'zod'
import { instant, pageOf, pageQuery } from './wire-words.ts'

/** A chain and its key are 10 kB together; RSA 4096 with four links stays under this. */
const PEM_CHARACTERS_MAX = 64 * 1024
const PKCS12_CHARACTERS_MAX = 128 * 1024
const PASSWORD_CHARACTERS_MAX = 1000

/** What every view of a certificate says about it. */
export const certificateFields = {
  serial: z.string(),
  issuer: z.string(),
  notBefore: instant,
  notAfter: instant,
  renewAt: instant,
  renewBecause: z.string(),
}

/** A certificate that we hold. */
export const certificateSchema = z
  .object({
    id: z.string(),
    host: z.string(),
    ...certificateFields,
    source: z.string(),
    current: z.boolean(),
    createdAt: instant,
    keyType: z.string().nullable(),
    /** When the CA suggests to renew it (RFC 9773), and its page about why. */
    window: z.object({ start: instant, end: instant }).nullable(),
    explanationUrl: z.string().nullable(),
    revokedAt: instant.nullable(),
  })
  .meta({ id: 'Certificate' })
export type WireCertificate = z.infer<typeof certificateSchema>

/** Chain and private key, to be used elsewhere. */
export const exportedCertificateSchema = z
  .object({ certificate: certificateSchema, pem: z.string() })
  .meta({ id: 'ExportedCertificate' })

/** The same as one PKCS#12 file, in base64. */
export const exportedPkcs12Schema = z
  .object({ certificate: certificateSchema, pkcs12: z.base64() })
  .meta({ id: 'ExportedPkcs12' })

export const certificatePageSchema = pageOf(certificateSchema).meta({ id: 'CertificatePage' })

export const certificateParams = z.object({ certificate: z.string() })
export const certificatesQuery = z.strictObject({
  ...pageQuery,
  expiringBefore: z.iso.datetime({ offset: true }).or(z.iso.date()).optional(),
})

/** The customer's own certificate. With `takeOver` our CA takes over when it ends. */
export const bringCertificateBody = z.union([
  z.strictObject({
    certificate: z.string().min(1).max(PEM_CHARACTERS_MAX),
    key: z.string().min(1).max(PEM_CHARACTERS_MAX),
    takeOver: z.boolean().default(false),
  }),
  z.strictObject({
    pkcs12: z.base64().min(1).max(PKCS12_CHARACTERS_MAX),
    password: z.string().max(PASSWORD_CHARACTERS_MAX).default(''),
    takeOver: z.boolean().default(false),
  }),
])

/** In a body: addresses are written to logs. */
export const exportPkcs12Body = z.strictObject({
  password: z.string().min(1).max(PASSWORD_CHARACTERS_MAX),
})

/** Why a certificate is revoked (RFC 5280 §5.3.1): the reasons that CAs accept from us. */
export const REVOCATION_REASONS = [
  'unspecified',
  'keyCompromise',
  'superseded',
  'cessationOfOperation',
] as const
export type WireRevocationReason = (typeof REVOCATION_REASONS)[number]

export const revokeCertificateBody = z.strictObject({ reason: z.enum(REVOCATION_REASONS) })
