import { after, days, hours, milliseconds } from '../kernel/index.ts'
import type { NameStanding } from './name-standings.ts'

/** Only trying shows whether somebody has lifted a pause: now and then, and when a person asks for it. */
const TRY_EVERY = days(1)
const TRY_FOR = hours(1)

/**
 * Until when nothing is ordered for a name at a CA: because the CA paused it, but for an hour a day
 * and the hour after a person asked, or because we would have it paused by going on. `undefined`: it
 * may be ordered.
 */
export function restOf(
  { pausedAt, restUntil }: Pick<NameStanding, 'pausedAt' | 'restUntil'>,
  { now, askedAt }: { readonly now: Date; readonly askedAt?: Date | undefined },
): Date | undefined {
  if (!pausedAt) return restUntil && restUntil > now ? restUntil : undefined
  if (askedAt && askedAt > pausedAt && now < after(askedAt, TRY_FOR)) return undefined
  if (restUntil && restUntil > now) return restUntil
  const pausedMs = Math.max(0, now.getTime() - pausedAt.getTime())
  const tries = Math.floor(pausedMs / TRY_EVERY)
  if (tries > 0 && pausedMs - tries * TRY_EVERY < TRY_FOR) return undefined
  return after(pausedAt, milliseconds((tries + 1) * TRY_EVERY))
}
