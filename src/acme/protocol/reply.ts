/** Reading replies: values, problems (RFC 7807), Retry-After and Link headers. */
import type { z } from 'zod'
import { AcmeError, type AcmeProblem, type AskedFor, problemToError } from '../errors.ts'
import type { HttpReply } from './transport.ts'
import { problemSchema } from './wire.ts'

const HTTP_ERROR = 400

/** The error that a reply of status 400 and above stands for; `undefined` for the others. */
export function replyToError(
  reply: HttpReply,
  now: Date,
  askedFor: AskedFor = 'one-order',
): AcmeError | undefined {
  if (reply.status < HTTP_ERROR) return undefined
  return problemToError(replyToProblem(reply), retryAtOf(reply, now), askedFor)
}

/** A web server in trouble answers in HTML: then the status alone has to do. */
function replyToProblem({ status, data }: HttpReply): AcmeProblem {
  const parsed = problemSchema.safeParse(data)
  if (!parsed.success) {
    return { type: 'about:blank', detail: `HTTP status ${status}`, status, subproblems: [] }
  }
  const detail = parsed.data.detail === '' ? `HTTP status ${status}` : parsed.data.detail
  return { ...parsed.data, detail, status }
}

export function isBadNonce(reply: HttpReply): boolean {
  return reply.status === HTTP_ERROR && replyToProblem(reply).type === 'badNonce'
}

/** Longer than the longest window of any limit; a CA that says more has made a mistake. */
const RETRY_MS_MAX = 8 * 24 * 3_600_000

/** Seconds or an HTTP date (RFC 9110 §10.2.3). */
export function retryAtOf({ headers }: HttpReply, now: Date): Date | undefined {
  const text = headers['retry-after']?.trim()
  if (text === undefined || text === '') return undefined
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now.getTime()
  if (!Number.isFinite(ms)) return undefined
  return new Date(now.getTime() + Math.min(RETRY_MS_MAX, Math.max(0, ms)))
}

/** What time it is at the CA; a cache on the way says how old the answer is (RFC 9111 §5.1). */
export function clockOf({ headers }: HttpReply): Date | undefined {
  const ms = Date.parse(headers.date ?? '')
  const age = /^\d{1,9}$/.test(headers.age ?? '') ? Number(headers.age) : 0
  return Number.isNaN(ms) ? undefined : new Date(ms + age * 1000)
}

/** Reads a reply's body, or throws `acme/bad-answer`. */
export function parseReply<Value>(schema: z.ZodType<Value>, { data }: HttpReply): Value {
  const parsed = schema.safeParse(data)
  if (parsed.success) return parsed.data
  const field = parsed.error.issues[0]?.path.join('.') ?? ''
  const message =
    field === '' ? 'it is not what was asked for' : `its "${field}" is not as it must be`
  throw new AcmeError('acme/bad-answer', message, { cause: parsed.error })
}

/** The target of the first `Link` with this relation (RFC 8288), made absolute. */
export function linkOf({ headers }: HttpReply, relation: string, base: string): string | undefined {
  const links = [headers['link'] ?? []].flat().flatMap((line) => line.split(/,(?=\s*<)/))
  const link = links.find((one) => new RegExp(`;\\s*rel="?${relation}"?(?:;|\\s|$)`).test(one))
  const target = /<([^>]*)>/.exec(link ?? '')?.[1]
  return target !== undefined && URL.canParse(target, base)
    ? new URL(target, base).toString()
    : undefined
}
