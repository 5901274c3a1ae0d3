import { type Duration, hours, type Urgency } from '../kernel/index.ts'
import { type CertificateLife, type Host, isOver } from './host-life.ts'

/** What decides how soon a host has to come to a CA. */
export type UrgencyHost = Pick<Host, 'visitedAt' | 'createdAt' | 'renewalAskedAt'>

export interface UrgencyContext {
  readonly now: Date
  /** Nobody counts as idle without it. */
  readonly idleAfter?: Duration | undefined
  /** `lazy`: for idle hosts nothing is renewed until somebody visits. */
  readonly idlePolicy?: 'last' | 'lazy' | undefined
}

/**
 * Why a host needs a certificate, and so how soon: `life` is that of the one in use, if there is
 * one. Called for each host of a large fleet: no allocation.
 */
export function urgencyOf(
  host: UrgencyHost,
  life: CertificateLife | undefined,
  context: UrgencyContext,
): Urgency {
  if (!life) return 'first'
  const { now } = context
  const isWanted = host.renewalAskedAt !== undefined || life.revokedAt !== undefined
  if (!isWanted && isDormant(host, context)) return 'idle'
  // Once it is over, there is nothing left to save for hosts that nobody visits.
  if (isOver(life, now)) return !isWanted && isIdle(host, context) ? 'idle' : 'expiring'
  if (isEndNear(life, now)) return 'expiring'
  if (isWanted || life.renewBecause === 'ca-says-now') return 'replace-now'
  return isIdle(host, context) ? 'idle' : 'renewal'
}

/**
 * Is so little left that nothing may come before it: two days, or a quarter of a short life? Not of
 * one that is over.
 */
export function isEndNear({ notBefore, notAfter }: CertificateLife, now: Date): boolean {
  const end = notAfter.getTime()
  const left = end - now.getTime()
  const quarter = (end - notBefore.getTime()) / 4
  return left > 0 && left < Math.min(END_IS_NEAR, quarter)
}

/** Longer than any CA's usual trouble lasts, with time for a person to help. */
export const END_IS_NEAR = hours(48)

/** Is it left alone until somebody visits it? */
export function isDormant(
  host: Pick<Host, 'visitedAt' | 'createdAt'>,
  context: UrgencyContext,
): boolean {
  return context.idlePolicy === 'lazy' && isIdle(host, context)
}

/** Has nobody opened a link of it for so long that it may come last? */
export function isIdle(
  { visitedAt, createdAt }: Pick<Host, 'visitedAt' | 'createdAt'>,
  { now, idleAfter }: UrgencyContext,
): boolean {
  if (idleAfter === undefined) return false
  return now.getTime() - (visitedAt ?? createdAt).getTime() >= idleAfter
}
