import {
  type CertificateLife,
  type Host,
  type HostEvent,
  hasLeft,
  type MoveContext,
  moveHost,
  urgencyOf,
} from '../../src/hosts/index.ts'
import { type Duration, days, hours, type Random, type Reason } from '../../src/kernel/index.ts'
import {
  type Attendance,
  type AttendanceRules,
  type HeldLife,
  planAttendance,
  soakEnds,
  waitingSince,
} from '../../src/lifecycle/index.ts'
import type { CertificateBook, HeldCertificate, WaitingCertificate } from './certificate-book.ts'
import type { SimulatedAdmission, SimulatedNeed } from './choosing.ts'
import { type Fleet, REASONS } from './fleet.ts'
import type { RefusedBecause, SimulatedIssuer } from './issuing.ts'
import type { ExpiryCause, Meter } from './meter.ts'
import type { Population } from './population.ts'
import { HOUR_MS } from './scenario.ts'
import type { WaitingLine } from './waiting-line.ts'

// One run with a leased host, as `src/lifecycle/attend.ts` makes it:
//
//   look ──► needs a certificate? ──► admit ──► issue ──► soak ──► put to use ──► served
//    └ waiting, left                    └ queue, wait  └ refused
//
// Every step is a move of the real state machine. Looks that would find what the last one found are
// left out: a host with which nothing is wrong comes back when its DNS changes or its renewal is due.

export interface Attending {
  /** Takes a host as far as it goes now. */
  attend(host: number, via: Via, nowMs: number): void
  /** Its certificate nears its end, or has run out. */
  end(host: number, nowMs: number): void
  /** Its CA is asked whether the plan of its certificate still holds. */
  ask(host: number, nowMs: number): void
}

type Via = 'due' | 'queue'

/** What the store remembers for later. */
export interface Agenda {
  due(host: number, atMs: number): void
  never(host: number): void
  ends(host: number, atMs: number): void
  asks(host: number, atMs: number): void
}

export interface AttendingDeps {
  readonly population: Population
  readonly fleet: Fleet
  readonly book: CertificateBook
  readonly issuer: SimulatedIssuer
  readonly line: WaitingLine
  readonly agenda: Agenda
  readonly meter: Meter
  readonly random: Random
  /** Was it to be avoided that this certificate ran out? */
  readonly judgeEnd: (host: number, certificate: HeldCertificate) => ExpiryCause
  /** All edges serve another certificate from now on. */
  readonly onServed: (host: number, before: HeldCertificate | undefined, nowMs: number) => void
}

/** The defaults of `lifecycle.*`. */
const IDLE_AFTER: Duration = days(180)
const RULES: AttendanceRules = { soak: hours(1), idleAfter: IDLE_AFTER, idlePolicy: 'last' }
/** The regular look at a host with which nothing is wrong, and at one that fails for long. */
const LOOK_EVERY_MS = 24 * HOUR_MS
const SELDOM_MS = 20 * HOUR_MS
/** How often a CA that does not answer is asked for a window. */
const POLL_MS = 6 * HOUR_MS
/** Another node takes over when a lease has run out. */
const LEASE_MS = 31_000

const NO_CHECKS: Host['checks'] = []

/** A host in hand: as it is by now, and what goes with every move. */
interface Run {
  readonly host: number
  readonly via: Via
  readonly nowMs: number
  readonly context: MoveContext
  /** The certificate in use. */
  readonly current: HeldCertificate | undefined
  readonly life: HeldLife | undefined
  readonly waiting: WaitingCertificate | undefined
  state: Host
}

export function createAttending(deps: AttendingDeps): Attending {
  const { population, fleet, book, issuer, line, agenda, meter, random } = deps

  const openRun = (host: number, via: Via, nowMs: number): Run => {
    const context = { now: new Date(nowMs), random, idleAfter: IDLE_AFTER }
    const waiting = book.waiting(host)
    const current = waiting?.current ?? book.current(host)
    const state = fleet.read(host, context.now)
    // Whoever's turn in the line has come is due, whatever was guessed when it was put there.
    const due = via === 'queue' ? { ...state, nextAttemptAt: context.now } : state
    return { host, via, nowMs, context, current, life: current?.life, waiting, state: due }
  }
  const move = (run: Run, event: HostEvent): void => {
    meter.counts.moves += 1
    run.state = moveHost(run.state, event, run.context)
  }
  /** Writes the host, and when it comes again. */
  const release = ({ host, state, nowMs }: Run): void => {
    fleet.write(host, state)
    line.remove(host)
    const at = state.nextAttemptAt?.getTime()
    if (at === undefined) agenda.never(host)
    else agenda.due(host, skipsLooks(state, at - nowMs) ? nextNews(host, at, nowMs) : at)
  }
  const nextNews = (host: number, atMs: number, nowMs: number): number => {
    const changesMs = population.dnsChangesMs(host, nowMs)
    if (population.dnsAt(host, nowMs) === 'wrong') {
      return Math.max(atMs, changesMs + random.fraction() * (atMs - nowMs))
    }
    return Math.min(atMs, changesMs + random.fraction() * LOOK_EVERY_MS)
  }

  const findWrong = (run: Run): void => {
    const found = { reason: REASONS.wrongTarget, checks: NO_CHECKS }
    move(run, { kind: 'not-ready', ...found, life: run.life, isAway: true })
    if (hasLeft(run.state, run.context.now)) {
      meter.counts.left += 1
      move(run, { kind: 'left', ...found })
    }
    release(run)
  }
  const putToUse = (run: Run, certificate: HeldCertificate): void => {
    const { host, nowMs, current } = run
    const { life } = certificate
    book.activate(host, certificate)
    meter.counts.putToUse += 1
    agenda.ends(host, nearsEndMs(life))
    move(run, { kind: 'served', life })
    deps.onServed(host, current, nowMs)
    release(run)
  }
  const keepOrUse = (run: Run, certificate: HeldCertificate): void => {
    const { host, nowMs, context, current, life, state } = run
    const { now } = context
    if (current) meter.noteLateness(nowMs - current.renewAtMs)
    const waiting = certificate.life
    const until = soakEnds({ host: state, current: life, waiting, now }, RULES)
    if (!current || until <= now) {
      putToUse(run, certificate)
      return
    }
    book.save(host, { certificate, current })
    soakOn(run, until)
  }
  const soakOn = (run: Run, until: Date): void => {
    const { life } = run
    if (life) move(run, { kind: 'soaking', until, life })
    release(run)
  }

  const queue = (run: Run): void => {
    const { host, nowMs, via } = run
    if (via === 'queue') meter.counts.fruitlessClaims += 1
    const until = new Date(nowMs + QUEUED_MS)
    move(run, { kind: 'queued', reason: REASONS.rateLimited, until, life: run.life })
    fleet.write(host, run.state)
    agenda.never(host)
    line.enqueue(host, run.state.urgency)
  }
  const hold = (run: Run, need: SimulatedNeed, { because, until }: Held): void => {
    const { host, nowMs, life } = run
    move(run, { kind: 'held', reason: HELD_REASONS[because], until, life })
    release(run)
    if (because !== 'ca-down') return
    // The same answer over and over, to hundreds of thousands, is counted and not played.
    const latestMs = Math.min(population.dnsChangesMs(host, nowMs), changesMs(life, nowMs))
    const { untilMs, looks } = issuer.waitInVain(need, latestMs)
    const [last] = looks.slice(-1)
    if (!last) return
    agenda.due(host, untilMs + last.everyMs * random.fraction())
    for (const span of looks) meter.noteSkipped(span)
  }
  const askIssuer = (run: Run, need: SimulatedNeed, admitted: Going): void => {
    const { host, nowMs } = run
    const outcome = issuer.issue(need, admitted)
    switch (outcome.kind) {
      case 'issued':
        keepOrUse(run, outcome.certificate)
        break
      case 'queued':
        queue(run)
        break
      case 'lost':
        line.remove(host)
        agenda.due(host, nowMs + LEASE_MS)
        break
      case 'refused': {
        const { because, retryAtMs } = outcome
        const retryAt = retryAtMs === undefined ? undefined : new Date(retryAtMs)
        const reason = REFUSED_REASONS[because]
        move(run, { kind: 'refused', reason, retryAt, life: run.life })
        release(run)
      }
    }
  }
  const getCertificate = (run: Run): void => {
    const { host, context, current, life } = run
    const { now } = context
    const urgency = urgencyOf(run.state, life, context)
    const dates = { notAfter: life?.notAfter, renewAt: life?.renewAt }
    const since = waitingSince(run.state, life, now)
    const need: SimulatedNeed = { host, urgency, current, ...dates, waitingSince: since, now }
    const admission = issuer.admit(need)
    if (admission.kind === 'wait') hold(run, need, admission)
    else if (admission.kind === 'queue') queue(run)
    else askIssuer(run, need, admission)
  }

  /** It is well, and nothing is due. */
  const serveOn = (run: Run): void => {
    const { life } = run
    move(run, { kind: 'ready', checks: NO_CHECKS })
    if (life) move(run, { kind: 'served', life })
    release(run)
  }
  const goAlong = (run: Run): void => {
    const { via, state, context, life, waiting } = run
    const facts = { host: state, via, current: life, now: context.now }
    const attendance = planAttendance({ ...facts, waiting: waiting?.certificate.life }, RULES)
    if (attendance.kind === 'use-waiting' && waiting) putToUse(run, waiting.certificate)
    else if (attendance.kind === 'let-soak') soakOn(run, attendance.until)
    else look(run, attendance.kind)
  }
  const look = (run: Run, what: Attendance['kind']): void => {
    const { life } = run
    if (population.dnsAt(run.host, run.nowMs) === 'wrong') findWrong(run)
    else if (what === 'look-regularly' && life) {
      move(run, { kind: 'looked', checks: NO_CHECKS, life })
      release(run)
    } else if (what === 'look-and-issue') {
      move(run, { kind: 'ready', checks: NO_CHECKS })
      getCertificate(run)
    } else serveOn(run)
  }

  const end = (host: number, nowMs: number): void => {
    const run = openRun(host, 'due', nowMs)
    const { current, state } = run
    if (!current) return
    if (current.notAfterMs <= nowMs) {
      meter.expired(deps.judgeEnd(host, current), nowMs)
      if (state.leftAt) {
        book.drop(host)
        move(run, { kind: 'ended' })
      } else move(run, { kind: 'expired', reason: REASONS.notReplaced })
      fleet.write(host, run.state)
      return
    }
    agenda.ends(host, current.notAfterMs)
    if (state.queuedAt === undefined || state.urgency === 'expiring') return
    // What `promoteExpiring` does in the store.
    fleet.write(host, { ...state, urgency: 'expiring', queuedAt: undefined })
    line.remove(host)
    agenda.due(host, nowMs)
  }
  const ask = (host: number, nowMs: number): void => {
    const run = openRun(host, 'due', nowMs)
    const { current } = run
    if (!current || current.notAfterMs <= nowMs) return
    if (run.waiting) {
      agenda.asks(host, nowMs + HOUR_MS)
      return
    }
    const answer = issuer.ask(host, current, run.context.now)
    if (answer === 'down') agenda.asks(host, nowMs + POLL_MS * random.fraction())
    if (answer === 'down' || answer === current) return
    book.replan(host, answer)
    const { life } = answer
    const urgency = urgencyOf(run.state, life, run.context)
    move(run, { kind: 'renewal-moved', renewAt: life.renewAt, urgency })
    if (run.state.queuedAt) fleet.write(host, run.state)
    else release(run)
  }

  return {
    attend: (host, via, nowMs) => {
      meter.counts.looks += 1
      goAlong(openRun(host, via, nowMs))
    },
    end,
    ask,
  }
}

type Going = Extract<SimulatedAdmission, { readonly kind: 'go' }>

interface Held {
  readonly because: keyof typeof HELD_REASONS
  readonly until: Date | undefined
}

/** What those who wait in line are told; nothing depends on it. */
const QUEUED_MS = HOUR_MS

const HELD_REASONS: Readonly<Record<'ca-down' | 'rate-limited' | 'paused', Reason>> = {
  'ca-down': REASONS.unavailable,
  'rate-limited': REASONS.rateLimited,
  paused: REASONS.paused,
}

const REFUSED_REASONS: Readonly<Record<RefusedBecause, Reason>> = {
  unavailable: REASONS.unavailable,
  'rate-limited': REASONS.rateLimited,
  rejected: REASONS.rejected,
  paused: REASONS.paused,
}

/** Nothing but a change would make the next look find anything new. */
function skipsLooks({ state, reason }: Host, delayMs: number): boolean {
  if (reason === REASONS.wrongTarget) return delayMs >= SELDOM_MS
  return state === 'active' && reason === undefined
}

/** When a host becomes more urgent because of its certificate alone. */
function changesMs(life: CertificateLife | undefined, nowMs: number): number {
  if (!life) return Number.POSITIVE_INFINITY
  const dates = [nearsEndMs(life), life.notAfter.getTime()]
  return dates.find((date) => date > nowMs) ?? Number.POSITIVE_INFINITY
}

/** When it becomes one of those that end soon; the rule is `isEndNear`. */
function nearsEndMs({ notBefore, notAfter }: CertificateLife): number {
  const end = notAfter.getTime()
  return end - Math.min(2 * LOOK_EVERY_MS, (end - notBefore.getTime()) / 4) + 1
}
