import { z } from 'zod'
import { type Duration, days, parseDuration } from '../kernel/index.ts'
import { CERTIFICATE_AUTHORITIES, findCertificateAuthority } from './cas/list.ts'
import { limitOverrides } from './limit-overrides.ts'
import { perCa } from './per-ca.ts'

/** Certificates start their life an hour back, and CAs count: five for a set of names in a week. */
const TERM_MIN: Duration = days(1)
/** Pebble 2.4.0 freezes above 16 orders at once; public CAs allow more than anybody needs. */
const CONCURRENCY_MAX = 64

/** `acme.*`: who issues certificates, and on what terms. */
export const acmeOptions = z.strictObject({
  ca: z
    .string()
    .default('letsencrypt')
    .superRefine((text, context) => {
      const unknown = text.split(',').find((entry) => !findCertificateAuthority(entry))
      if (unknown === undefined) return
      const names = CERTIFICATE_AUTHORITIES.map(({ name }) => name).join(', ')
      const message = `"${unknown.trim()}" is neither an https URL nor one of ${names}`
      context.addIssue({ code: 'custom', message })
    })
    .describe(
      'The certificate authorities in order of preference, with commas between them: names, or https URLs of directories',
    ),
  roots: z
    .string()
    .optional()
    .describe('A PEM file of further roots to trust when talking to the CA'),
  email: z.email().optional().describe('Where the CA may write to'),
  agreeTerms: z
    .stringbool()
    .or(z.boolean())
    .default(false)
    .describe("Whether you agree to the CA's terms of service"),
  eab: perCa({ pattern: /^[^:\s]+:[A-Za-z0-9+/_=-]+$/, form: 'kid:hmac' })
    .optional()
    .describe(
      'The external account binding that some CAs ask for: kid:hmac, or zerossl=kid:hmac,google=kid:hmac',
    ),
  profile: perCa({ pattern: /^[\w.-]+$/, form: 'shortlived, a word' })
    .optional()
    .describe(
      "Which of the CA's profiles to ask for, else its default: of the preferred CA, or letsencrypt=shortlived,google=…",
    ),
  limits: limitOverrides
    .optional()
    .describe(
      'Limits that a CA granted you, such as letsencrypt.orders-per-account=3000/3h; with commas between them',
    ),
  term: z
    .string()
    .default('60d')
    .transform((text, context) => {
      const term = parseDuration(text)
      if (term !== undefined && term >= TERM_MIN) return term
      context.addIssue({ code: 'custom', message: 'not a span of one day (1d) or more, like 60d' })
      return z.NEVER
    })
    .describe('How long a certificate is used before it is replaced'),
  concurrency: z
    .union([z.int(), z.string().regex(/^\d+$/).transform(Number)])
    .pipe(z.int().min(1).max(CONCURRENCY_MAX))
    .default(8)
    .describe('How many certificates are under way at the CA at once'),
})

export type AcmeOptions = z.output<typeof acmeOptions>
