import { type Duration, hours, type Reason } from '../kernel/index.ts'
import type { HostEvent, MoveContext } from './host-event.ts'
import {
  type CertificateLife,
  type Host,
  type HostState,
  isNew,
  isWaitingForCa,
  NOTHING_UNDER_WAY,
} from './host-life.ts'
import { earlier, next, paceOfAttempts, paceOfLooks, paceOfRegularLooks } from './host-pace.ts'
import { hasEnded, onceWell, renewalOf, standingWith, staysSafe } from './host-standing.ts'
import { isEndNear } from './urgency.ts'

// What a look at a host's DNS changes.

type Life = CertificateLife | undefined

export type LookEvent = Extract<
  HostEvent,
  { kind: 'looked' | 'mismatched' | 'lacking' | 'ready' | 'not-ready' | 'left' }
>

export const WELL = { reason: undefined, failures: 0 } as const
const HERE = { awayAt: undefined, leftAt: undefined } as const

/** `moved` is the host as it was, with the look noted. */
export function moveOnLook(moved: Host, event: LookEvent, context: MoveContext): Host {
  const { now, random, lookEvery } = context
  const { checks } = event
  switch (event.kind) {
    case 'ready':
      return { ...moved, ...HERE, ...ready(moved), checks }
    case 'looked': {
      const { life } = event
      const well: Host = { ...moved, ...HERE, ...WELL, renewalAskedAt: undefined, told: undefined }
      const httpsSafe = staysSafe(moved, life, context)
      return { ...well, checks, httpsSafe, ...onceWell(well, life, context) }
    }
    case 'mismatched': {
      const { reason, life } = event
      const failures = moved.failures + 1
      const { nextAttemptAt } = next(now, paceAfter(failures, life, context))
      const due = { nextAttemptAt: earlier(nextAttemptAt, renewalOf(moved, life, now)) }
      const standing = standingWith(moved, life, context)
      return { ...moved, ...HERE, ...standing, reason, checks, failures, ...due }
    }
    case 'lacking': {
      const over = {
        state: 'failing',
        reason: event.reason,
        failures: 0,
        httpsSafe: false,
      } as const
      const due = next(now, paceOfRegularLooks(lookEvery, random))
      return { ...moved, ...HERE, ...over, checks, queuedAt: undefined, ...due }
    }
    case 'left': {
      const over = { ...NOTHING_UNDER_WAY, told: moved.told, awayAt: moved.awayAt, leftAt: now }
      const { reason } = event
      const due = next(now, paceOfRegularLooks(lookEvery, random))
      return { ...moved, ...over, state: 'failing', reason, checks, httpsSafe: false, ...due }
    }
    case 'not-ready':
      return moveNotReady(moved, event, context)
  }
}

/** Looks that led nowhere must not slow down what the CA is asked afterwards. */
function ready(host: Host): Partial<Host> {
  return host.state === 'waiting-for-dns' ? { state: 'issuing', ...WELL } : {}
}

function moveNotReady(
  moved: Host,
  { reason, checks, life, isAway }: Extract<HostEvent, { kind: 'not-ready' }>,
  context: MoveContext,
): Host {
  const { now, random, lookEvery } = context
  const wasHere = life !== undefined && moved.state !== 'waiting-for-dns'
  const awayAt = whenAway(moved, isAway === true && wasHere, { reason, now })
  const seen = { ...moved, checks, awayAt }
  if (isWaitingForCa(moved, now)) return { ...seen, httpsSafe: staysSafe(moved, life, context) }
  const state = stateNotReady(moved, reason, { life, context })
  const failures = moved.failures + 1
  const dueAfter = (): Duration => {
    if (moved.leftAt) return paceOfRegularLooks(lookEvery, random)
    if (state === 'waiting-for-dns') return paceOfLooks(failures, random)
    return paceAfter(failures, life, context)
  }
  const standing = standingWith(moved, life, context)
  return { ...seen, ...standing, state, reason, failures, ...next(now, dueAfter()) }
}

/** How soon to try again, with this certificate in use. */
export function paceAfter(failures: number, life: Life, { now, random }: MoveContext): Duration {
  const urgency = life && isEndNear(life, now) ? 'endIsNear' : 'asUsual'
  return paceOfAttempts(failures, urgency, random)
}

function stateNotReady(
  host: Host,
  reason: Reason,
  { life, context }: { readonly life: Life; readonly context: MoveContext },
): HostState {
  const isEnded = hasEnded(life, context)
  if (host.leftAt && (!life || isEnded)) return 'waiting-for-dns'
  // It may have a certificate of its owner's already.
  if (host.state === 'waiting-for-dns' || (!life && isNew(host))) return 'waiting-for-dns'
  // Name servers have bad minutes; while nothing is due, that is no news.
  const mayPass = host.state === 'active' && isUnanswered(reason) && host.failures < LOOKS_TO_PASS
  return mayPass && !isEnded ? 'active' : 'failing'
}

/** An answer that did not come says nothing, neither for nor against. */
function whenAway(
  { awayAt }: Host,
  isAway: boolean,
  { reason, now }: { readonly reason: Reason; readonly now: Date },
): Date | undefined {
  if (isAway) return awayAt ?? now
  return isUnanswered(reason) ? awayAt : undefined
}

function isUnanswered({ code }: Reason): boolean {
  return code === 'dns/servfail'
}

const LOOKS_TO_PASS = 2

/**
 * Is it certain now that DNS leads elsewhere? Several looks in an hour or more: a zone that was
 * edited wrongly, and mended, costs nothing.
 */
export function hasLeft({ awayAt, leftAt, failures }: Host, now: Date): boolean {
  if (leftAt || !awayAt) return false
  return failures >= LOOKS_TO_LEAVE && now.getTime() - awayAt.getTime() >= TIME_TO_LEAVE
}

const LOOKS_TO_LEAVE = 3
const TIME_TO_LEAVE = hours(1)
