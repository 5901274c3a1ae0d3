import { after } from '../kernel/index.ts'
import type { MoveContext } from './host-event.ts'
import { type CertificateLife, type Host, httpsEndsAt, isOver } from './host-life.ts'
import { earlier, paceOfRegularLooks } from './host-pace.ts'
import { urgencyOf } from './urgency.ts'

// What follows for a host from the certificate in use.

type Life = CertificateLife | undefined

/**
 * What follows from the certificate alone, for a host that is not in the queue (any more). By a
 * clock that may be wrong, nothing does.
 */
export function standingWith(
  host: Host,
  life: Life,
  context: MoveContext,
): Pick<Host, 'httpsSafe' | 'urgency' | 'queuedAt'> {
  const { httpsSafe } = host
  if (context.clock === 'doubtful') return { httpsSafe, urgency: host.urgency, queuedAt: undefined }
  return {
    httpsSafe: staysSafe(host, life, context),
    urgency: urgencyOf(host, life, context),
    queuedAt: undefined,
  }
}

/** Is https still promised, as far as the certificate goes? */
export function staysSafe(
  { httpsSafe }: Host,
  life: Life,
  { now, clock }: Pick<MoveContext, 'now' | 'clock'>,
): boolean {
  return httpsSafe && (clock === 'doubtful' || (life !== undefined && now < httpsEndsAt(life)))
}

/** Is it known that what visitors get is over? */
export function hasEnded(
  life: Life,
  { now, clock }: Pick<MoveContext, 'now' | 'clock'>,
): life is CertificateLife {
  return clock !== 'doubtful' && life !== undefined && isOver(life, now)
}

/** Due again when its certificate is, or for the next regular look. */
export function onceWell(
  host: Host,
  life: CertificateLife,
  context: MoveContext,
): Pick<Host, 'urgency' | 'nextAttemptAt'> {
  const { now, random, lookEvery } = context
  const renewAt = renewalOf(host, life, now)
  const look =
    lookEvery === undefined && renewAt ? undefined : paceOfRegularLooks(lookEvery, random)
  const nextAttemptAt = look === undefined ? renewAt : earlier(after(now, look), renewAt)
  return { urgency: urgencyOf(host, life, context), nextAttemptAt }
}

/** When a CA is to be asked for the next one; a time that has passed without that means nothing. */
export function renewalOf(host: Host, { renewAt }: CertificateLife, now: Date): Date | undefined {
  return host.certificateFrom === 'acme' && renewAt > now ? renewAt : undefined
}
