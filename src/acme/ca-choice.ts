import { after, type Duration, hours, minutes, type Urgency } from '../kernel/index.ts'

/** How a CA stands towards one order, when it is to be decided where to place it. */
export interface CaStanding {
  readonly name: string
  readonly health: CaCondition
  /** What the CAA records that govern the name say. */
  readonly caa: 'allows' | 'forbids'
  /** What is left of the CA's limits, for this very order. */
  readonly budget: { readonly kind: 'room' } | { readonly kind: 'empty'; readonly until: Date }
  /** The CA has paused the name at our account: it wants a person first. */
  readonly isPaused: boolean
}

export type CaCondition =
  | { readonly kind: 'up' }
  /** `until`: when somebody asks again whether it is back. */
  | { readonly kind: 'down'; readonly since: Date; readonly until?: Date | undefined }
  /** It answers, and does not serve us: our account, or our profile. */
  | { readonly kind: 'refuses-us'; readonly since: Date; readonly until?: Date | undefined }
  /** It has told all of us to wait. */
  | { readonly kind: 'held'; readonly until: Date }

/** What the order is for, as far as it matters for where to place it. */
export interface CaNeed {
  readonly urgency: Urgency
  /** Of the certificate in use, if there is one. */
  readonly notAfter?: Date | undefined
  readonly renewAt?: Date | undefined
  /** Since when the host has been ready for a CA. */
  readonly waitingSince: Date
}

/** A CA that refuses us is as good as down. */
export type CaObstacle = 'ca-down' | 'rate-limited' | 'paused'

export type CaChoice =
  /** `because`: why not the CA that is preferred. */
  | {
      readonly kind: 'go'
      readonly ca: string
      readonly because: 'preferred' | 'caa' | CaObstacle
    }
  /** `ca` is the one waited for; without `until` nobody knows how long. */
  | {
      readonly kind: 'wait'
      readonly until: Date | undefined
      readonly ca: string
      readonly because: CaObstacle
    }
  /** CAA records forbid every CA that we have. */
  | { readonly kind: 'none-allowed' }

/** A host without a certificate waits so long for the preferred CA before another is asked. */
const FIRST_PATIENCE: Duration = minutes(10)
/** CAs give a day or more before they revoke: enough for another CA's limits, if it comes to that. */
const REPLACE_PATIENCE: Duration = hours(4)
/** So much of a certificate's life is not spent on waiting for a CA. */
const RESERVE: Duration = hours(48)

/**
 * Chooses the CA for an order: the first in order of preference, unless it is down, full or has
 * paused the name for longer than the order can wait, or a CAA record forbids it. A host's own fault
 * (its DNS, its challenge) is never a reason: another CA would see the same. The preferred CA comes
 * back by itself: the next order is judged anew.
 */
export function chooseCa({
  authorities,
  need,
  now,
}: {
  readonly authorities: readonly CaStanding[]
  readonly need: CaNeed
  readonly now: Date
}): CaChoice {
  let firstObstacle: CaObstacle | 'caa' | undefined
  let worthWaitingFor: Obstructed | undefined
  let soonest: Obstructed | undefined
  for (const standing of authorities) {
    if (standing.caa === 'forbids') {
      firstObstacle ??= 'caa'
      continue
    }
    const obstacle = obstacleOf(standing, { need, now })
    if (!obstacle) {
      if (worthWaitingFor) return worthWaitingFor.patient
      return { kind: 'go', ca: standing.name, because: firstObstacle ?? 'preferred' }
    }
    firstObstacle ??= obstacle.because
    const obstructed = consider(standing.name, obstacle, { need, now })
    if (obstructed.isWorthIt) worthWaitingFor ??= obstructed
    if (!soonest || isSooner(obstructed, soonest)) soonest = obstructed
  }
  if (!soonest) return { kind: 'none-allowed' }
  return { kind: 'wait', until: soonest.until, ca: soonest.ca, because: soonest.because }
}

interface Obstacle {
  readonly because: CaObstacle
  readonly until?: Date | undefined
  /** Since when it stands, if it is not known how long it lasts. */
  readonly since?: Date | undefined
}

function obstacleOf(
  { health, budget, isPaused }: CaStanding,
  { need, now }: NeedNow,
): Obstacle | undefined {
  if (isPaused) return { because: 'paused' }
  if (health.kind === 'down' || health.kind === 'refuses-us') {
    const { since, until } = health
    return {
      ...{ because: 'ca-down', since },
      until: until && laterOf(until, worthALook(since, { need, now })),
    }
  }
  const heldUntil = health.kind === 'held' ? health.until : undefined
  const emptyUntil = budget.kind === 'empty' ? budget.until : undefined
  const until = heldUntil && emptyUntil ? laterOf(heldUntil, emptyUntil) : (heldUntil ?? emptyUntil)
  return until && { because: 'rate-limited', until }
}

/**
 * One host is enough to find out whether a CA is back. The others are each looked at before they ask
 * anything, and after weeks they are half of the fleet: so they come the less often, the longer it
 * lasts.
 */
function worthALook(since: Date, { need: { urgency }, now }: NeedNow): Date {
  const awayMs = now.getTime() - since.getTime()
  const isUrgent = urgency !== 'renewal' && urgency !== 'idle'
  const longest = isUrgent ? LOOK_EVERY_MAX.urgent : LOOK_EVERY_MAX.planned
  return new Date(now.getTime() + Math.min(LOOK_SHARE * awayMs, longest))
}

const LOOK_SHARE = 0.1
const LOOK_EVERY_MAX = { urgent: minutes(10), planned: hours(6) } as const

interface NeedNow {
  readonly need: CaNeed
  readonly now: Date
}

interface Obstructed extends Obstacle {
  readonly ca: string
  /** Better than to go to a CA that is preferred less. */
  readonly isWorthIt: boolean
  /** The answer, if there is such a CA. */
  readonly patient: CaChoice
}

function consider(ca: string, obstacle: Obstacle, { need, now }: NeedNow): Obstructed {
  const { because, until } = obstacle
  const patienceMs = because === 'paused' ? 0 : patienceEndsMs(need, obstacle.since)
  // How long it is down nobody knows; what is known to last longer is not waited for at all.
  const lastsMs = because === 'ca-down' || until === undefined ? now.getTime() : until.getTime()
  const isWorthIt = now.getTime() < patienceMs && lastsMs <= patienceMs
  const patienceEnds = new Date(patienceMs)
  const waitUntil = until && until < patienceEnds ? until : patienceEnds
  return {
    ...{ ca, because, until, isWorthIt },
    patient: { kind: 'wait', until: waitUntil, ca, because },
  }
}

/** An order takes a minute; what is open for longer than this is stuck. */
const ORDER_PATIENCE: Duration = minutes(10)

/** Has an order been open at its CA for longer than the certificate can wait for it? */
export function isOverdue(orderedAt: Date, need: CaNeed, now: Date): boolean {
  const isStuck = now >= after(orderedAt, ORDER_PATIENCE)
  return isStuck && now.getTime() >= patienceEndsMs(need, orderedAt)
}

/** Until when waiting for the preferred CA does no harm. */
function patienceEndsMs(need: CaNeed, since: Date | undefined): number {
  const { urgency, notAfter, renewAt, waitingSince } = need
  if (urgency === 'expiring') return 0
  if (!notAfter) return (since ?? waitingSince).getTime() + FIRST_PATIENCE
  const renewMs = (renewAt ?? waitingSince).getTime()
  const halfLeftMs = renewMs + (notAfter.getTime() - renewMs) / 2
  const endsMs = Math.min(halfLeftMs, notAfter.getTime() - RESERVE)
  if (urgency !== 'replace-now') return endsMs
  return Math.min(endsMs, waitingSince.getTime() + REPLACE_PATIENCE)
}

function isSooner({ until }: Obstructed, than: Obstructed): boolean {
  if (until === undefined) return false
  return than.until === undefined || until < than.until
}

function laterOf(one: Date, other: Date): Date {
  return one > other ? one : other
}
