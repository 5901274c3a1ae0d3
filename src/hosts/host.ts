import {
  after,
  backoff,
  type Duration,
  hours,
  milliseconds,
  minutes,
  type Reason,
  seconds,
  type Urgency,
  unreachable,
  urgencyRank,
} from '../kernel/index.ts'
import type { HostEvent, MoveContext } from './host-event.ts'
import {
  type CertificateLife,
  type Host,
  type HostState,
  hasCaReason,
  httpsEndsAt,
  isWaitingForCa,
  NOTHING_UNDER_WAY,
  staysSafe,
} from './host-life.ts'
import { next, paceOfLooks, paceOfRegularLooks, paceOfServing } from './host-pace.ts'
import { urgencyOf } from './urgency.ts'

type Life = CertificateLife | undefined

/** Moves a host along: the whole state machine, and the pace of what comes next. */
export function moveHost(host: Host, event: HostEvent, context: MoveContext): Host {
  const { now, random } = context
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
    case 'ready':
    case 'not-ready':
    case 'left':
      return moveOnLook({ ...moved, lookedAt: now }, event, context)
    case 'ended':
      if (!host.leftAt) return host
      return {
        ...{ ...moved, state: 'waiting-for-dns', httpsSafe: false, urgency: 'first' },
        // Whoever comes back finds nothing of an owner's certificate.
        ...{ certificateFrom: 'acme', takeOver: false },
      }
    case 'refused': {
      const { reason, retryAt, life } = event
      const state = reason.code === 'ca/paused' ? 'paused' : 'failing'
      const failures = host.failures + 1
      const delay = backoff(state === 'paused' ? PAUSED_FAILURES : failures, random)
      const standing = standingWith(host, life, context)
      return { ...moved, ...standing, state, reason, failures, ...next(now, delay, retryAt) }
    }
    case 'queued':
    case 'held':
    case 'soaking':
      return { ...moved, ...moveToWait(host, event, context) }
    case 'not-served': {
      const { reason, life } = event
      const failures = host.failures + 1
      const due = next(now, paceOfServing(failures, random))
      return { ...moved, ...standingWith(host, life, context), reason, failures, ...due }
    }
    case 'served': {
      const { life } = event
      const httpsSafe = now < httpsEndsAt(life)
      const served = { ...moved, ...NOTHING_UNDER_WAY, ...WELL, httpsSafe }
      return { ...served, state: 'active', ...onceWell(served, life, context) }
    }
    case 'failed': {
      const { reason } = event
      const failures = host.failures + 1
      const due = { queuedAt: undefined, ...next(now, backoff(failures, random)) }
      return isWaitingForCa(host, now) ? moved : { ...moved, reason, failures, ...due }
    }
    case 'https-ending':
      return { ...moved, httpsSafe: false }
    case 'retired':
      return {
        ...{ ...moved, ...NOTHING_UNDER_WAY, ...WELL },
        ...{ state: 'retired', checks: [], httpsSafe: false, nextAttemptAt: undefined },
        ...{ urgency: 'first', certificateFrom: 'acme', takeOver: false, claimToken: undefined },
      }
    default:
      return unreachable(event)
  }
}

type WishEvent = Extract<
  HostEvent,
  { kind: 'check-asked' | 'renewal-asked' | 'renewal-moved' | 'brought' | 'handed-over' }
>

/** What somebody wants of it, be it a CA. */
function moveByWish(host: Host, event: WishEvent, now: Date): Partial<Host> {
  switch (event.kind) {
    case 'check-asked':
      return { failures: failuresOnceAsked(host), ...dueOnceAsked(host, now) }
    case 'renewal-asked':
      return askedFor(host, now)
    case 'renewal-moved':
      return moveRenewal(host, event, now)
    case 'brought': {
      const from = { certificateFrom: 'customer', takeOver: event.takeOver } as const
      return { ...NOTHING_UNDER_WAY, ...WELL, ...from, nextAttemptAt: now }
    }
    case 'handed-over':
      return { certificateFrom: 'acme', takeOver: false, ...askedFor(host, now) }
  }
}

const WELL = { reason: undefined, failures: 0 } as const

type LookEvent = Extract<
  HostEvent,
  { kind: 'looked' | 'mismatched' | 'ready' | 'not-ready' | 'left' }
>

/** `moved` is the host as it was, with the look noted. */
function moveOnLook(moved: Host, event: LookEvent, context: MoveContext): Host {
  const { now, random, lookEvery } = context
  const { checks } = event
  const here = { awayAt: undefined, leftAt: undefined }
  switch (event.kind) {
    case 'ready':
      return { ...moved, ...here, ...ready(moved), checks }
    case 'looked': {
      const { life } = event
      const well = {
        ...moved,
        ...here,
        ...WELL,
        renewalAskedAt: undefined,
        told: undefined,
        checks,
      }
      return { ...well, httpsSafe: staysSafe(moved, life, now), ...onceWell(well, life, context) }
    }
    case 'mismatched': {
      const { reason, life } = event
      const failures = moved.failures + 1
      const { nextAttemptAt } = next(now, backoff(failures, random))
      const due = { nextAttemptAt: earlier(nextAttemptAt, renewalOf(moved, life, now)) }
      return {
        ...moved,
        ...here,
        ...standingWith(moved, life, context),
        reason,
        checks,
        failures,
        ...due,
      }
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

function moveNotReady(
  moved: Host,
  { reason, checks, life, isAway }: Extract<HostEvent, { kind: 'not-ready' }>,
  context: MoveContext,
): Host {
  const { now, random, lookEvery } = context
  const awayAt = whenAway(moved, isAway === true && life !== undefined, { reason, now })
  const seen = { ...moved, checks, awayAt }
  if (isWaitingForCa(moved, now)) return { ...seen, httpsSafe: staysSafe(moved, life, now) }
  const state = stateNotReady(moved, reason, { life, now })
  const failures = moved.failures + 1
  const dueAfter = (): Duration => {
    if (moved.leftAt) return paceOfRegularLooks(lookEvery, random)
    return state === 'waiting-for-dns' ? paceOfLooks(failures, random) : backoff(failures, random)
  }
  const standing = standingWith(moved, life, context)
  return { ...seen, ...standing, state, reason, failures, ...next(now, dueAfter()) }
}

function stateNotReady(
  host: Host,
  reason: Reason,
  { life, now }: { readonly life: Life; readonly now: Date },
): HostState {
  if (host.leftAt && (!life || life.notAfter <= now)) return 'waiting-for-dns'
  if (!life && isNew(host)) return 'waiting-for-dns'
  // Name servers have bad minutes; while nothing is due, that is no news.
  const mayPass = host.state === 'active' && isUnanswered(reason) && host.failures < LOOKS_TO_PASS
  return mayPass ? 'active' : 'failing'
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

function moveToWait(
  host: Host,
  event: Extract<HostEvent, { kind: 'queued' | 'held' | 'soaking' }>,
  context: MoveContext,
): Partial<Host> {
  const { now, random } = context
  const standing = standingWith(host, event.life, context)
  switch (event.kind) {
    case 'soaking':
      return { ...standing, ...WELL, state: 'active', nextAttemptAt: event.until }
    case 'queued': {
      const { reason, until } = event
      return { ...standing, reason, queuedAt: host.queuedAt ?? now, nextAttemptAt: until }
    }
    case 'held': {
      const { reason, until } = event
      // What a wrong clock says of a certificate counts for nothing.
      const isClockWrong = reason.code === 'postern/clock-wrong'
      const { httpsSafe, urgency } = isClockWrong ? host : standing
      const state = reason.code === 'ca/paused' ? 'paused' : host.state
      const spread = milliseconds(HELD_SPREAD * random.fraction())
      const due = until
        ? next(now, HELD_MIN, after(until, spread))
        : next(now, backoff(host.failures + 1, random))
      return { state, reason, httpsSafe, urgency, queuedAt: undefined, ...due }
    }
  }
}

/** Many are told the same time: they are looked at anew before they come, which takes a while. */
const HELD_SPREAD = minutes(1)
const HELD_MIN = seconds(10)

/** A pause is lifted by a person, at the CA: once a day is often enough to notice. */
const PAUSED_FAILURES = 4

/** A person looks at it: waiting is quick again; a CA that refused is still not hurried. */
function failuresOnceAsked(host: Host): number {
  if (isNew(host)) return 0
  return hasCaReason(host) ? host.failures : Math.min(host.failures, 1)
}

/** Due at once; but what the CA said about when to come back is not for us to overrule. */
function dueOnceAsked(host: Host, now: Date): Pick<Host, 'nextAttemptAt'> {
  return { nextAttemptAt: isWaitingForCa(host, now) ? host.nextAttemptAt : now }
}

function askedFor(
  host: Host,
  now: Date,
): Pick<Host, 'renewalAskedAt' | 'urgency' | 'queuedAt' | 'nextAttemptAt'> {
  const urgency = isNew(host) ? host.urgency : moreUrgent(host.urgency, 'replace-now')
  return { renewalAskedAt: now, ...dueWith(host, { urgency, dueAt: now }, now) }
}

/** Not later than it would come anyway: then it is looked at, and its plan followed. */
function moveRenewal(
  host: Host,
  { renewAt, urgency }: Extract<HostEvent, { kind: 'renewal-moved' }>,
  now: Date,
): Partial<Host> {
  if (host.certificateFrom === 'customer' || host.leftAt) return {}
  const dueAt = renewAt > now ? renewAt : now
  return dueWith(host, { urgency, dueAt: earlier(dueAt, host.nextAttemptAt) }, now)
}

/**
 * Who becomes more urgent leaves the place in the queue, which is one among others of the old
 * urgency, and comes anew. The time of a CA stays.
 */
function dueWith(
  host: Host,
  { urgency, dueAt }: { readonly urgency: Urgency; readonly dueAt: Date },
  now: Date,
): Pick<Host, 'urgency' | 'queuedAt' | 'nextAttemptAt'> {
  if (host.queuedAt) {
    const isPromoted = urgencyRank(urgency) < urgencyRank(host.urgency)
    if (isPromoted) return { urgency, queuedAt: undefined, nextAttemptAt: now }
    return { urgency: host.urgency, queuedAt: host.queuedAt, nextAttemptAt: host.nextAttemptAt }
  }
  const nextAttemptAt = isWaitingForCa(host, now) ? host.nextAttemptAt : dueAt
  return { urgency, queuedAt: undefined, nextAttemptAt }
}

function moreUrgent(one: Urgency, other: Urgency): Urgency {
  return urgencyRank(one) < urgencyRank(other) ? one : other
}

/** Looks that led nowhere must not slow down what the CA is asked afterwards. */
function ready(host: Host): Partial<Host> {
  return host.state === 'waiting-for-dns' ? { state: 'issuing', ...WELL } : {}
}

function isNew({ state }: Host): boolean {
  return state === 'waiting-for-dns' || state === 'issuing'
}

/** What follows from the certificate alone, for a host that is not in the queue (any more). */
function standingWith(
  host: Host,
  life: Life,
  context: MoveContext,
): Pick<Host, 'httpsSafe' | 'urgency' | 'queuedAt'> {
  const httpsSafe = staysSafe(host, life, context.now)
  return { httpsSafe, urgency: urgencyOf(host, life, context), queuedAt: undefined }
}

/** Due again when its certificate is, or for the next regular look. */
function onceWell(
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
function renewalOf(host: Host, { renewAt }: CertificateLife, now: Date): Date | undefined {
  return host.certificateFrom === 'acme' && renewAt > now ? renewAt : undefined
}

function earlier(one: Date, other: Date | undefined): Date {
  return other && other < one ? other : one
}
