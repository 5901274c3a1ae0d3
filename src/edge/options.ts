import { z } from 'zod'
import { parseHostname } from '../kernel/index.ts'
import { parseBackend } from './backend/backend-address.ts'
import { EdgeError } from './errors.ts'
import { parseListenAddresses } from './listen/listen-address.ts'
import { parseNetworks } from './listen/peer-network.ts'

/** More workers than any machine has cores for; a typo should not fork ten thousand. */
const WORKERS_MAX = 512

const addresses = z.string().superRefine(refusedBy(parseListenAddresses))

const accessDetail = z.enum(['targets', 'addresses', 'agents'])

/** `edge.*`: where visitors arrive, and what answers them. */
export const edgeOptions = z.strictObject({
  http: addresses.default(':80').describe('Where to listen for plain http'),
  https: addresses.default(':443').describe('Where to listen for https'),
  name: z
    .string()
    .transform((text, context) => {
      const hostname = parseHostname(text)
      if (hostname) return hostname
      context.addIssue({ code: 'custom', message: `"${text}" is not a host name` })
      return z.NEVER
    })
    .optional()
    .describe("What customers' CNAMEs point to; needed before the first host is added"),
  workers: z
    .union([z.int(), z.string().regex(/^\d+$/).transform(Number)])
    .pipe(z.int().min(0).max(WORKERS_MAX))
    .optional()
    .describe(
      'Processes that serve visitors: by default one per core that has 160 MB; 0 = none of their own',
    ),
  backend: z
    .string()
    .superRefine(refusedBy(parseBackend))
    .default('embedded')
    .describe('What answers opens and clicks: embedded, http://host:port or unix:/path'),
  sharedAddresses: z
    .string()
    .superRefine(refusedBy(parseNetworks))
    .default('127.0.0.1, ::1')
    .describe('Who is not limited one by one, many visitors being behind it: a load balancer'),
  accessLog: z
    .union([
      z.number(),
      z
        .string()
        .regex(/^(?:0|1|0?\.\d{1,6}|1\.0+)$/)
        .transform(Number),
    ])
    .pipe(z.number().min(0).max(1))
    .default(0.01)
    .describe('Which share of the requests is written to the log: 0 none, 1 all'),
  accessLogDetails: z
    .string()
    .default('')
    .transform((text, context) => {
      const words = text.split(',').flatMap((word) => word.trim() || [])
      const details = z.array(accessDetail).safeParse(words)
      if (details.success) return details.data
      const known = accessDetail.options.join(', ')
      context.addIssue({ code: 'custom', message: `Write none, or some of: ${known}` })
      return z.NEVER
    })
    .describe('What the access log says of visitors: targets, addresses, agents; none by default'),
  onBackendDown: z
    .enum(['answer', 'page'])
    .default('answer')
    .describe('Links while your backend is away: answer them and tell it later, or show a page'),
  visitorFactsKey: z
    .string()
    .min(32)
    .optional()
    .describe(
      'A secret that your backend has too: it is told, signed, how each visitor speaks TLS',
    ),
  httpPolicy: z
    .enum(['serve', 'redirect'])
    .default('serve')
    .describe('Plain http: serve it, or redirect to https once the host has a certificate'),
})

export type EdgeOptions = z.infer<typeof edgeOptions>

/** The parser's own sentence becomes the issue's; what it returned is read again by `app`. */
function refusedBy(
  parse: (text: string) => unknown,
): (text: string, context: z.RefinementCtx<string>) => void {
  return (text, context) => {
    try {
      parse(text)
    } catch (error) {
      if (!(error instanceof EdgeError)) throw error
      context.addIssue({ code: 'custom', message: `${error.message} ${error.fix ?? ''}`.trim() })
    }
  }
}
