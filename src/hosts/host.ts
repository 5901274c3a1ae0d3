import { after, milliseconds, minutes, seconds, unreachable } from '../kernel/index.ts'
import type { HostEvent, MoveContext } from './host-event.ts'
import { type Host, httpsEndsAt, isWaitingForCa, NOTHING_UNDER_WAY } from './host-life.ts'
import { moveOnLook, paceAfter, WELL } from './host-looks.ts'
import { next, paceOfAttempts, paceOfRegularLooks, paceOfServing } from './host-pace.ts'
import { hasEnded, onceWell, standingWith } from './host-standing.ts'
import { moveByWish } from './host-wishes.ts'

/** Moves a host along: the whole state machine, and the pace of what comes next. */
export function moveHost(host: Host, event: HostEvent, context: MoveContext): Host {
  const moved = move(host, event, context)
  if (moved === host) return host
  const isReady = moved.state !== 'waiting-for-dns' && moved.state !== 'retired'
  if (isReady === (moved.readyAt !== undefined)) return moved
  return { ...moved, readyAt: isReady ? context.now : undefined }
}

function move(host: Host, event: HostEvent, context: MoveContext): Host {
  const { now } = context
  const moved = { ...host, updatedAt: now }
  switch (event.kind) {
    case 'check-asked':
    case 'renewal-asked':
    case 'renewal-moved':
    case 'brought':
    case 'handed-over':
      return { ...moved, ...moveByWish(host, event, now) }
    case 'proven':
      return { ...moved, ...WELL, claimToken: undefined }
    case 'looked':
    case 'mismatched':
    case 'lacking':
    case 'ready':
    case 'not-ready':
    case 'left':
      return moveOnLook({ ...moved, lookedAt: now }, event, context)
    case 'refused':
    case 'not-served':
    case 'failed':
      return moveOnFailure(moved, event, context)
    case 'queued':
    case 'held':
    case 'soaking':
      return { ...moved, ...moveToWait(host, event, context) }
    case 'put-off':
      return { ...moved, nextAttemptAt: event.until }
    case 'served': {
      const { life } = event
      const isOld = host.httpsSafe && context.clock === 'doubtful'
      const httpsSafe = isOld || now < httpsEndsAt(life)
      const served = { ...moved, ...NOTHING_UNDER_WAY, ...WELL, httpsSafe }
      return { ...served, state: 'active', ...onceWell(served, life, context) }
    }
    case 'https-ending':
    case 'expired':
    case 'ceased':
    case 'ended':
    case 'retired':
      return moveToEnd(host, event, context)
    default:
      return unreachable(event)
  }
}

/** `moved` is the host as it was. */
function moveOnFailure(
  moved: Host,
  event: Extract<HostEvent, { kind: 'refused' | 'not-served' | 'failed' }>,
  context: MoveContext,
): Host {
  const { now, random } = context
  const { reason } = event
  const failures = moved.failures + 1
  switch (event.kind) {
    case 'refused': {
      const { retryAt, life } = event
      const state = reason.code === 'ca/paused' ? 'paused' : 'failing'
      const delay =
        state === 'paused'
          ? paceOfAttempts(PAUSED_FAILURES, 'asUsual', random)
          : paceAfter(failures, life, context)
      const standing = standingWith(moved, life, context)
      return { ...moved, ...standing, state, reason, failures, ...next(now, delay, retryAt) }
    }
    case 'not-served': {
      const due = next(now, paceOfServing(failures, random))
      return { ...moved, ...standingWith(moved, event.life, context), reason, failures, ...due }
    }
    case 'failed': {
      if (isWaitingForCa(moved, now)) return moved
      const urgency = moved.urgency === 'expiring' ? 'endIsNear' : 'asUsual'
      const due = next(now, paceOfAttempts(failures, urgency, random))
      return { ...moved, reason, failures, queuedAt: undefined, ...due }
    }
  }
}

/** A pause is lifted by a person, at the CA: once a day is often enough to notice. */
const PAUSED_FAILURES = 4

function moveToWait(
  host: Host,
  event: Extract<HostEvent, { kind: 'queued' | 'held' | 'soaking' }>,
  context: MoveContext,
): Partial<Host> {
  const { now, random } = context
  const { life } = event
  const standing = standingWith(host, life, context)
  if (event.kind === 'soaking') {
    return { ...standing, ...WELL, state: 'active', nextAttemptAt: event.until }
  }
  const { reason, until } = event
  // Whoever waits keeps the state, but what visitors are warned of is nothing to call active.
  const state = host.state === 'active' && hasEnded(life, context) ? 'failing' : host.state
  if (event.kind === 'queued') {
    return { ...standing, state, reason, queuedAt: host.queuedAt ?? now, nextAttemptAt: until }
  }
  const spread = milliseconds(HELD_SPREAD * random.fraction())
  const due = until
    ? next(now, HELD_MIN, after(until, spread))
    : next(now, paceAfter(host.failures + 1, life, context))
  if (reason.code === 'ca/paused') return { ...standing, state: 'paused', reason, ...due }
  if (reason.code !== 'postern/clock-wrong') return { ...standing, state, reason, ...due }
  // What a wrong clock says of a certificate counts for nothing.
  return { reason, queuedAt: undefined, ...due }
}

/** Many are told the same time: they are looked at anew before they come, which takes a while. */
const HELD_SPREAD = minutes(1)
const HELD_MIN = seconds(10)

function moveToEnd(
  host: Host,
  event: Extract<HostEvent, { kind: 'https-ending' | 'expired' | 'ceased' | 'ended' | 'retired' }>,
  { now, random, lookEvery }: MoveContext,
): Host {
  const moved = { ...host, updatedAt: now }
  switch (event.kind) {
    case 'https-ending':
      return { ...moved, httpsSafe: false }
    case 'expired':
      if (host.state !== 'active') return host
      return {
        ...{ ...moved, state: 'failing', httpsSafe: false, told: 'failing' },
        reason: host.reason ?? event.reason,
      }
    case 'ceased': {
      const { reason } = event
      const over = { ...NOTHING_UNDER_WAY, told: host.told, ceasedAt: now, httpsSafe: false }
      const due = next(now, paceOfRegularLooks(lookEvery, random))
      return { ...moved, ...over, state: 'failing', reason, failures: 0, ...due }
    }
    case 'ended':
      if (!host.leftAt) return host
      return {
        ...{ ...moved, state: 'waiting-for-dns', httpsSafe: false, urgency: 'first' },
        // Whoever comes back finds nothing of an owner's certificate.
        ...{ certificateFrom: 'acme', takeOver: false },
      }
    case 'retired':
      return {
        ...{ ...moved, ...NOTHING_UNDER_WAY, ...WELL },
        ...{ state: 'retired', checks: [], httpsSafe: false, nextAttemptAt: undefined },
        ...{ urgency: 'first', certificateFrom: 'acme', takeOver: false, claimToken: undefined },
      }
  }
}
