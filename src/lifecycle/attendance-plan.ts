import {
  type CertificateLife,
  type ClaimedHost,
  type Host,
  isDormant,
  isOver,
  isWaitingForCa,
  urgencyOf,
} from '../hosts/index.ts'
import { type Duration, milliseconds } from '../kernel/index.ts'

/** What there is of a host's certificates when somebody comes to work on it. */
export interface AttendanceFacts {
  readonly host: Host
  readonly via: ClaimedHost['via']
  /** The one that visitors get. */
  readonly current: HeldLife | undefined
  /** One that was issued, and has not been put to use. */
  readonly waiting: HeldLife | undefined
  readonly now: Date
}

export interface HeldLife extends CertificateLife {
  readonly createdAt: Date
}

export interface AttendanceRules {
  readonly soak: Duration
  readonly idleAfter: Duration
  readonly idlePolicy: 'last' | 'lazy'
}

export type Attendance =
  /** Look, and no more: the time of a CA has not come. */
  | { readonly kind: 'look-only' }
  /** A look at DNS and at what visitors get, and no more. */
  | { readonly kind: 'look-regularly' }
  /** Look; and have every edge serve the certificate that is there. */
  | { readonly kind: 'look-and-serve' }
  /** The edges are to serve the owner's certificate; DNS is known to lead here. */
  | { readonly kind: 'serve' }
  /** Put the waiting certificate to use: that needs neither DNS nor a CA. */
  | { readonly kind: 'use-waiting' }
  /** The same with an owner's; whether DNS leads here is yet to be seen. */
  | { readonly kind: 'use-waiting-and-look' }
  | { readonly kind: 'let-soak'; readonly until: Date }
  | { readonly kind: 'look-and-let-soak'; readonly until: Date }
  /** Look; and get a certificate. */
  | { readonly kind: 'look-and-issue' }

/** Decides what is to be done with a host that somebody has come to work on. */
export function planAttendance(facts: AttendanceFacts, rules: AttendanceRules): Attendance {
  const { host, via, current, waiting, now } = facts
  if (host.certificateFrom === 'customer') return planOwn(facts)
  if (host.ceasedAt) return { kind: current ? 'look-regularly' : 'look-only' }
  if (waiting && !isSuperseded(host, waiting)) return planWaiting(facts, waiting, rules)
  if (isWaitingForCa(host, now)) return { kind: 'look-only' }
  const isLeftAlone = isDormant(host, { now, ...rules })
  if (!current || needsAnother(host, current, { now, isLeftAlone }))
    return { kind: 'look-and-issue' }
  const isQuiet = host.state === 'active' && (host.httpsSafe || isLeftAlone)
  return isQuiet && via !== 'asked' ? { kind: 'look-regularly' } : { kind: 'look-and-serve' }
}

/** Neither DNS nor a CA is needed for it. */
function planWaiting(
  { host, via, current, now }: AttendanceFacts,
  waiting: HeldLife,
  rules: AttendanceRules,
): Attendance {
  const until = soakEnds({ host, current, waiting, now }, rules)
  if (until <= now) return { kind: 'use-waiting' }
  return { kind: via === 'asked' ? 'look-and-let-soak' : 'let-soak', until }
}

function planOwn({ host, current, waiting, now }: AttendanceFacts): Attendance {
  // Nobody's certificate makes a host active: a look has to have found that DNS leads here.
  const isHere = host.state === 'active' && !host.awayAt && !host.leftAt
  // After a kill: brought, and not yet put to use.
  if (waiting) return { kind: isHere ? 'use-waiting' : 'use-waiting-and-look' }
  if (!current) return { kind: 'look-only' }
  // While it is not certain that every edge serves it, that comes first.
  const isToBeServed = isHere && !host.httpsSafe && !isOver(current, now)
  return { kind: isToBeServed ? 'serve' : 'look-regularly' }
}

/**
 * Since when a host has been ready for a CA, and in need of one: that is how patient it has been
 * with a CA that is away. `current` is the certificate in use, if there is one.
 */
export function waitingSince(
  { queuedAt, readyAt, renewalAskedAt }: Pick<Host, 'queuedAt' | 'readyAt' | 'renewalAskedAt'>,
  current: Pick<CertificateLife, 'renewAt' | 'revokedAt'> | undefined,
  now: Date,
): Date {
  const since = current
    ? [current.renewAt, current.revokedAt, renewalAskedAt, queuedAt]
    : [readyAt, queuedAt]
  // What lies in the future is a plan, or the word of a clock that has been put back.
  const times = since.map((at) => Math.min(at?.getTime() ?? now.getTime(), now.getTime()))
  return new Date(Math.min(...times))
}

/** By its own plan, because it was revoked, or because somebody asked after it was made. */
function needsAnother(
  { renewalAskedAt }: Host,
  current: HeldLife,
  { now, isLeftAlone }: { readonly now: Date; readonly isLeftAlone: boolean },
): boolean {
  if (current.revokedAt) return true
  if (renewalAskedAt && renewalAskedAt > current.createdAt) return true
  return current.renewAt <= now && !isLeftAlone
}

function isSuperseded({ renewalAskedAt }: Host, waiting: HeldLife): boolean {
  return renewalAskedAt !== undefined && renewalAskedAt > waiting.createdAt
}

/**
 * When a new certificate may be put to use. Clients whose clocks are slow would refuse one that was
 * made just now, while the old one would do; but where it would not, or somebody waits, there is
 * nothing to gain. Never longer than a quarter of what is left of the old one.
 */
export function soakEnds(
  {
    host,
    current,
    waiting,
    now,
  }: Pick<AttendanceFacts, 'host' | 'current' | 'now'> & { readonly waiting: HeldLife },
  { soak, idleAfter }: Pick<AttendanceRules, 'soak' | 'idleAfter'>,
): Date {
  if (!current || current.notAfter <= now) return now
  const urgency = urgencyOf(host, current, { now, idleAfter })
  if (urgency === 'expiring' || urgency === 'replace-now') return now
  const startMs = waiting.createdAt.getTime()
  const left = milliseconds((current.notAfter.getTime() - startMs) / 4)
  // A clock that was put back must not make it wait for its own future.
  return new Date(Math.min(startMs + Math.min(soak, left), now.getTime() + soak))
}
