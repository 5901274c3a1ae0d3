import {
  after,
  backoff,
  type Duration,
  type Hostname,
  hours,
  milliseconds,
  minutes,
  type Random,
  type Reason,
  seconds,
  unreachable,
} from '../kernel/index.ts'

/** Where a host stands. `failing` and `paused` hosts may still be serving a certificate. */
export type HostState = 'waiting-for-dns' | 'issuing' | 'active' | 'failing' | 'paused' | 'retired'

/** A name that a customer points at us, and how far it has come. */
export interface Host {
  readonly hostname: Hostname
  readonly domain: string
  readonly state: HostState
  /** Why it is not (or no longer) well. */
  readonly reason: Reason | undefined
  /** What the last look at it found. */
  readonly checks: readonly Check[]
  /** Every edge worker serves its certificate: mail may link to it with https. */
  readonly httpsSafe: boolean
  /** Looks or attempts in a row that led nowhere. */
  readonly failures: number
  readonly nextAttemptAt: Date | undefined
  readonly createdAt: Date
  readonly updatedAt: Date
}

/** One thing that was looked at. */
export interface Check {
  readonly name: string
  readonly ok: boolean
  readonly seen: string
  readonly expected?: string | undefined
}

/** What a host's life needs to know of the certificate that is being served. */
export interface CertificateLife {
  readonly notBefore: Date
  readonly notAfter: Date
  readonly renewAt: Date
}

/** What can happen to a host. `life` is that of the certificate served now. */
export type HostEvent =
  | { readonly kind: 'check-asked' }
  | { readonly kind: 'renewal-asked' }
  | { readonly kind: 'ready'; readonly checks: readonly Check[] }
  | {
      readonly kind: 'not-ready'
      readonly reason: Reason
      readonly checks: readonly Check[]
      readonly life: CertificateLife | undefined
    }
  | {
      readonly kind: 'refused'
      readonly reason: Reason
      /** When the CA says it makes sense to come back. */
      readonly retryAt: Date | undefined
      readonly life: CertificateLife | undefined
    }
  /** The certificate is there, but not every edge worker serves it yet. */
  | { readonly kind: 'not-served'; readonly reason: Reason; readonly life: CertificateLife }
  | { readonly kind: 'served'; readonly life: CertificateLife }
  /** Something of ours broke while working on it. */
  | { readonly kind: 'failed'; readonly reason: Reason }
  | { readonly kind: 'https-ending' }
  | { readonly kind: 'retired' }

export interface MoveContext {
  readonly now: Date
  readonly random: Random
}

/** A host as it begins: to be looked at right now. */
export function newHost(hostname: Hostname, domain: string, now: Date): Host {
  return {
    hostname,
    domain,
    state: 'waiting-for-dns',
    reason: undefined,
    checks: [],
    httpsSafe: false,
    failures: 0,
    nextAttemptAt: now,
    createdAt: now,
    updatedAt: now,
  }
}

/** Moves a host along: the whole state machine, and the pace of what comes next. */
export function moveHost(host: Host, event: HostEvent, { now, random }: MoveContext): Host {
  const moved = { ...host, updatedAt: now }
  switch (event.kind) {
    case 'check-asked':
      return { ...moved, failures: failuresOnceAsked(host), ...dueOnceAsked(host, now) }
    case 'renewal-asked':
      return { ...moved, ...dueOnceAsked(host, now) }
    case 'ready':
      return { ...moved, ...ready(host), checks: event.checks }
    case 'not-ready': {
      const { reason, checks, life } = event
      if (isWaitingForCa(host, now)) {
        return { ...moved, checks, httpsSafe: staysSafe(host, life, now) }
      }
      const state = isNew(host) && !life ? 'waiting-for-dns' : 'failing'
      const failures = host.failures + 1
      const delay = state === 'failing' ? backoff(failures, random) : paceOfLooks(failures, random)
      const httpsSafe = staysSafe(host, life, now)
      return { ...moved, state, reason, checks, failures, httpsSafe, ...next(now, delay) }
    }
    case 'refused': {
      const { reason, retryAt, life } = event
      const state = reason.code === 'ca/paused' ? 'paused' : 'failing'
      const failures = host.failures + 1
      const delay = backoff(state === 'paused' ? PAUSED_FAILURES : failures, random)
      const httpsSafe = staysSafe(host, life, now)
      return { ...moved, state, reason, failures, httpsSafe, ...next(now, delay, retryAt) }
    }
    case 'not-served': {
      const { reason, life } = event
      const failures = host.failures + 1
      const httpsSafe = staysSafe(host, life, now)
      return {
        ...moved,
        reason,
        failures,
        httpsSafe,
        ...next(now, paceOfServing(failures, random)),
      }
    }
    case 'served': {
      const { life } = event
      const httpsSafe = now < httpsEndsAt(life)
      const nextAttemptAt = life.renewAt
      return { ...moved, state: 'active', reason: undefined, failures: 0, httpsSafe, nextAttemptAt }
    }
    case 'failed': {
      if (isWaitingForCa(host, now)) return moved
      const { reason } = event
      const failures = host.failures + 1
      return { ...moved, reason, failures, ...next(now, backoff(failures, random)) }
    }
    case 'https-ending':
      return { ...moved, httpsSafe: false }
    case 'retired':
      return {
        ...moved,
        state: 'retired',
        reason: undefined,
        checks: [],
        httpsSafe: false,
        failures: 0,
        nextAttemptAt: undefined,
      }
    default:
      return unreachable(event)
  }
}

/**
 * When mail must stop linking to a certificate with https, unless it has been replaced by then:
 * an hour before its end, or when 95 % of a very short life are over.
 */
export function httpsEndsAt({ notBefore, notAfter }: CertificateLife): Date {
  const margin = Math.min(HTTPS_MARGIN, (notAfter.getTime() - notBefore.getTime()) / 20)
  return after(notAfter, milliseconds(-margin))
}

/**
 * Has the CA refused, and is the time not over that it named, or that we leave it? Such a host may
 * be looked at, but nobody's wish takes it to the CA before `nextAttemptAt`.
 */
export function isWaitingForCa(host: Host, now: Date): boolean {
  return hasCaReason(host) && host.nextAttemptAt !== undefined && now < host.nextAttemptAt
}

function hasCaReason({ reason }: Host): boolean {
  return reason?.code.startsWith('ca/') === true
}

/** The longest margin of `httpsEndsAt`: mail sent just before should still be opened with https. */
export const HTTPS_MARGIN = hours(1)

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

/** Looks that led nowhere must not slow down what the CA is asked afterwards. */
function ready(host: Host): Partial<Host> {
  return host.state === 'waiting-for-dns'
    ? { state: 'issuing', reason: undefined, failures: 0 }
    : {}
}

function isNew({ state }: Host): boolean {
  return state === 'waiting-for-dns' || state === 'issuing'
}

function staysSafe(host: Host, life: CertificateLife | undefined, now: Date): boolean {
  return host.httpsSafe && life !== undefined && now < httpsEndsAt(life)
}

function next(now: Date, delay: Duration, atLeast = now): { readonly nextAttemptAt: Date } {
  const planned = after(now, delay)
  return { nextAttemptAt: planned > atLeast ? planned : atLeast }
}

/**
 * A look costs a few DNS questions and somebody may be sitting in front of it: every two seconds at
 * first, every minute after some ten, and from about an hour on at the pace of everything else.
 */
function paceOfLooks(failures: number, random: Random): Duration {
  if (failures > QUICK_LOOKS) return backoff(failures - QUICK_LOOKS, random)
  const delay = Math.min(FIRST_LOOK * LOOK_GROWTH ** (failures - 1), LONGEST_QUICK_LOOK)
  return milliseconds(Math.round(delay * (1 + LOOK_JITTER * random.fraction())))
}

/** Our own workers cost nothing to ask, and a customer waits: never slower than a minute. */
function paceOfServing(failures: number, random: Random): Duration {
  return milliseconds(
    Math.min(paceOfLooks(Math.min(failures, QUICK_LOOKS), random), LONGEST_QUICK_LOOK),
  )
}

const FIRST_LOOK = seconds(2)
const LOOK_GROWTH = 1.4
const LONGEST_QUICK_LOOK = minutes(1)
/** The growing ones last 4 minutes, the others 56. */
const QUICK_LOOKS = 66
const LOOK_JITTER = 0.1
