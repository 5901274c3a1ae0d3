import type { Certificate } from '../certs/index.ts'
import { after, days, hours, milliseconds, minutes } from '../kernel/index.ts'
import { certificateIdOf } from './certificate-id.ts'
import type { Desks } from './desks.ts'
import { AcmeError } from './errors.ts'
import type { WindowAnswer } from './issuer.ts'
import type { Desk } from './work.ts'

/** RFC 9773 §4.3: what a CA says in Retry-After is kept between these. */
const ASK_AGAIN_MIN = minutes(1)
const ASK_AGAIN_MAX = days(1)
/** When the CA does not say, and after an answer that is of no use (RFC 9773 §4.3.3). */
const ASK_AGAIN = hours(6)
/** After a fault that may pass; the rest of the life is long. */
const ASK_AGAIN_AFTER_FAULT = hours(1)
/** Later by up to so much: those who asked together need not come back together. */
const SPREAD_SHARE = 0.1

/** Of what is over, what no CA issued, and what has no id to ask by. */
const NEVER: WindowAnswer = { kind: 'none', askAt: undefined }

/**
 * Asks the CA of a certificate when to renew it (RFC 9773). Whatever is odd about the answer makes it
 * none. A CA that is away is not asked. Trouble with such questions says nothing about its orders.
 */
export async function askWindow(
  certificate: Certificate,
  desks: Desks,
  signal: AbortSignal,
): Promise<WindowAnswer> {
  const { hostname, source, chainPem, notAfter } = certificate
  const desk = desks.named(source)
  if (!desk || notAfter <= desk.clock.now()) return NEVER
  const certificateId = certificateIdOf(chainPem)
  if (certificateId === undefined) return NEVER
  for (const health of [desk.health, desk.questions]) {
    const { condition } = await health.read()
    if (condition.kind !== 'up') return { kind: 'none', askAt: laterBy(desk, condition.until) }
  }

  const tell = { ca: desk.authority.name, hostname }
  try {
    const advice = await desk.protocol.renewalInfo(certificateId, signal)
    await desk.questions.noteSuccess()
    if (!advice) {
      desk.record.windowAsked({ ...tell, outcome: 'none' })
      return { kind: 'none', askAt: laterBy(desk, after(desk.clock.now(), ASK_AGAIN_MAX)) }
    }
    const { info, retryAt } = advice
    const { suggestedWindow: window, explanationURL: explanationUrl } = info
    const askAt = laterBy(desk, retryAt)
    if (window.end <= window.start) {
      desk.record.windowAsked({ ...tell, outcome: 'bad-answer' })
      return { kind: 'none', askAt: laterBy(desk, undefined) }
    }
    desk.record.windowAsked({ ...tell, outcome: 'window', explanationUrl })
    return { kind: 'window', window, explanationUrl, askAt }
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof AcmeError)) throw error
    await desk.questions.noteError(error)
    desk.record.windowAsked({ ...tell, outcome: 'failed' })
    const isOdd = error.code === 'acme/bad-answer' || error.code === 'acme/bad-request'
    const fallback = after(desk.clock.now(), isOdd ? ASK_AGAIN : ASK_AGAIN_AFTER_FAULT)
    return { kind: 'none', askAt: laterBy(desk, error.retryAt ?? fallback) }
  }
}

/** The wait that was asked for, within bounds, and a little longer. */
function laterBy({ clock, random }: Desk, asked: Date | undefined): Date {
  const now = clock.now()
  const askedMs = asked ? asked.getTime() - now.getTime() : ASK_AGAIN
  const spreadMs = Math.max(ASK_AGAIN_MIN, askedMs) * (1 + SPREAD_SHARE * random.fraction())
  return after(now, milliseconds(Math.round(Math.min(ASK_AGAIN_MAX, spreadMs))))
}
