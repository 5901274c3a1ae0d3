import { type OrderKind, planRenewal } from '../../src/acme/index.ts'
import { type Duration, days, type Random, type Urgency } from '../../src/kernel/index.ts'
import type { HeldCertificate } from './certificate-book.ts'
import {
  at,
  type Choosing,
  createChoosing,
  HOLD_MS,
  type SimulatedAdmission,
  type SimulatedCa,
  type SimulatedNeed,
  type Trouble,
} from './choosing.ts'
import type { Meter } from './meter.ts'
import type { AcceptedOrder, ModelledCertificate } from './modelled-ca.ts'
import type { Population } from './population.ts'
import { HOUR_MS } from './scenario.ts'

// The issuer's way from a need to a certificate, with the real decisions in it: which CA, whether
// its budget allows it, when to renew. An order is one step here; what takes seconds at a CA cannot
// be told from an instant over 400 days, except that a node may die amid it.

export type SimulatedOutcome =
  | { readonly kind: 'issued'; readonly certificate: HeldCertificate }
  | {
      readonly kind: 'refused'
      readonly because: RefusedBecause
      readonly retryAtMs?: number | undefined
    }
  | { readonly kind: 'queued' }
  /** The node died: somebody else goes on. */
  | { readonly kind: 'lost' }

export type RefusedBecause = 'unavailable' | 'rate-limited' | 'rejected' | 'paused'

export interface SimulatedIssuer {
  admit(need: SimulatedNeed): SimulatedAdmission
  /** Goes on with an order that was left open, or places one. */
  issue(need: SimulatedNeed, admitted: Going): SimulatedOutcome
  room(urgency: Urgency, nowMs: number): number
  /** Asks the CA for the window of a certificate, and plans anew if it has changed. */
  ask(host: number, certificate: HeldCertificate, now: Date): HeldCertificate | 'down'
  /**
   * Until when somebody who waits for a CA that is away will find nothing new, `latestMs` at most,
   * and how often it will look in vain.
   */
  waitInVain(need: SimulatedNeed, latestMs: number): VainWait
}

type Going = Extract<SimulatedAdmission, { readonly kind: 'go' }>

export interface VainWait {
  readonly untilMs: number
  readonly looks: readonly VainLooks[]
}

/** So often in a span. */
export interface VainLooks {
  readonly fromMs: number
  readonly toMs: number
  readonly everyMs: number
}

export interface IssuingDeps {
  readonly cas: readonly SimulatedCa[]
  readonly population: Population
  readonly meter: Meter
  readonly random: Random
  /** Does a node die between an order and its end? */
  readonly isLost: (nowMs: number) => boolean
}

/** What is known of a certificate before its renewal is planned. */
interface IssuedCertificate extends ModelledCertificate {
  readonly ca: number
  readonly life: Pick<HeldCertificate['life'], 'notBefore' | 'notAfter' | 'createdAt'>
}

interface OpenOrder extends AcceptedOrder {
  readonly ca: number
}

/** The default of `acme.term`. */
export const TERM: Duration = days(60)

export function createIssuing(deps: IssuingDeps): SimulatedIssuer {
  const { cas, population, meter, random } = deps
  const troubles: (Trouble | undefined)[] = cas.map(() => undefined)
  const pausedMs = cas.map(() => new Map<number, number>())
  const hasIssued = cas.map(() => new Uint8Array(population.hosts))
  const open = new Map<number, OpenOrder>()
  const choosing = createChoosing({ cas, population, troubles, hasIssued, pausedMs })
  const sightOf = (host: number, nowMs: number) =>
    population.dnsAt(host, nowMs) === 'right' ? 'right' : 'wrong'

  const admit = (need: SimulatedNeed): SimulatedAdmission => {
    const opened = open.get(need.host)
    if (opened && choosing.conditionOf(opened.ca, need.now.getTime()).kind === 'up') {
      return { kind: 'go', ca: opened.ca, paid: undefined }
    }
    return choosing.choose(need)
  }
  const findDown = (index: number, nowMs: number): SimulatedOutcome => {
    meter.counts.foundDown += 1
    const sinceMs = troubles[index]?.sinceMs ?? nowMs
    troubles[index] = { sinceMs, heldUntilMs: nowMs + HOLD_MS }
    return { kind: 'refused', because: 'unavailable', retryAtMs: nowMs + HOLD_MS }
  }
  const place = (
    { ca: index, paid }: Going,
    { host, urgency, current }: SimulatedNeed,
    nowMs: number,
  ): OpenOrder | SimulatedOutcome => {
    const { ca, ledger } = at(cas, index)
    if (!paid) return { kind: 'queued' }
    ledger.spend(paid.order, paid.verdict)
    let replacing = current?.ca === index ? current : undefined
    let answer = ca.order(host, replacing, nowMs)
    if (answer.kind === 'already-replaced') {
      meter.counts.alreadyReplaced += 1
      replacing = undefined
      answer = ca.order(host, replacing, nowMs)
    }
    if (answer.kind === 'accepted') {
      meter.ordered({ ca: index, urgency, sight: sightOf(host, nowMs) }, nowMs)
      troubles[index] = undefined
      return { ca: index, exempt: answer.exempt, replacing }
    }
    if (answer.kind === 'down') return findDown(index, nowMs)
    if (answer.kind !== 'rate-limited') throw new Error('An order replaced nothing, and did twice')
    meter.rateLimited(answer.limit, nowMs)
    if (answer.limit !== 'paused') {
      return { kind: 'refused', because: 'rate-limited', retryAtMs: answer.retryAtMs }
    }
    pausedMs[index]?.set(host, nowMs)
    return { kind: 'refused', because: 'paused' }
  }
  const finish = (host: number, opened: OpenOrder, now: Date): SimulatedOutcome => {
    const nowMs = now.getTime()
    const { ca, ledger } = at(cas, opened.ca)
    if (!ca.isUp(nowMs)) return findDown(opened.ca, nowMs)
    open.delete(host)
    if (ca.validate(host, sightOf(host, nowMs), nowMs) === 'invalid') {
      meter.counts.failedValidations += 1
      ledger.failed(host, nowMs)
      return { kind: 'refused', because: 'rejected' }
    }
    const issued = ca.issue(host, opened, nowMs)
    const ofCa = at(hasIssued, opened.ca)
    ofCa[host] = 1
    meter.counts.certificates += 1
    const { notBeforeMs, notAfterMs } = issued
    const [notBefore, notAfter] = [new Date(notBeforeMs), new Date(notAfterMs)]
    const life = { notBefore, notAfter, createdAt: now }
    const saved = { ca: opened.ca, notBeforeMs, notAfterMs, life }
    return { kind: 'issued', certificate: planned(host, saved, now) }
  }
  /** Asks for the window, and plans. `now` is when it is done. */
  const planned = (host: number, issued: IssuedCertificate, now: Date): HeldCertificate => {
    const { ca, notBeforeMs, notAfterMs, life } = issued
    const { startMs, endMs } = at(cas, ca).ca.window(host, issued, now.getTime())
    const plan = planRenewal(
      {
        life: { start: life.notBefore, end: life.notAfter },
        window: { start: new Date(startMs), end: new Date(endMs) },
        ...{ term: TERM, now, heldSince: life.createdAt },
      },
      random,
    )
    return {
      ...{ ca, notBeforeMs, notAfterMs, heldSinceMs: life.createdAt.getTime() },
      ...{ renewAtMs: plan.renewAt.getTime(), because: plan.because },
      ...{ windowStartMs: startMs, windowEndMs: endMs },
      life: {
        notBefore: life.notBefore,
        notAfter: life.notAfter,
        createdAt: life.createdAt,
        renewAt: plan.renewAt,
        renewBecause: plan.because,
      },
    }
  }
  const attempt = (need: SimulatedNeed, going: Going): SimulatedOutcome => {
    const { host, now } = need
    const nowMs = now.getTime()
    const left = open.get(host)
    if (left?.ca === going.ca) {
      meter.counts.resumedOrders += 1
      return finish(host, left, now)
    }
    const placed = place(going, need, nowMs)
    if ('kind' in placed) return placed
    if (!deps.isLost(nowMs)) return finish(host, placed, now)
    open.set(host, placed)
    return { kind: 'lost' }
  }

  return {
    admit,
    // Once more elsewhere, if a CA turns out to be away (`src/acme/issue-somewhere.ts`).
    issue: (need, admitted) => {
      const outcome = attempt(need, admitted)
      if (outcome.kind !== 'refused' || outcome.because === 'rejected') return outcome
      const next = admit(need)
      if (next.kind !== 'go' || next.ca === admitted.ca) return outcome
      return attempt(need, next)
    },
    room: (urgency, nowMs) => {
      const kind: OrderKind = urgency === 'first' ? 'first' : 'renewal'
      for (const [index, { ledger }] of cas.entries()) {
        if (choosing.conditionOf(index, nowMs).kind !== 'up') continue
        const room = ledger.room({ kind, urgency }, nowMs)
        if (room > 0) return room
      }
      return 0
    },
    ask: (host, certificate, now) => {
      const { ca } = at(cas, certificate.ca)
      const nowMs = now.getTime()
      if (!ca.isUp(nowMs)) return 'down'
      const { startMs } = ca.window(host, certificate, nowMs)
      return startMs === certificate.windowStartMs ? certificate : planned(host, certificate, now)
    },
    waitInVain: (need, latestMs) => {
      const nowMs = need.now.getTime()
      const [preferred] = cas
      const backMs = preferred ? Math.min(latestMs, preferred.ca.backMs(nowMs)) : nowMs
      const untilMs = lastWait(need, { choosing, fromMs: nowMs, toMs: backMs })
      const looks: VainLooks[] = []
      for (let fromMs = nowMs; fromMs < untilMs; ) {
        const everyMs = (choosing.waitMs(need, fromMs) ?? HOLD_MS) + HELD_SPREAD_MS
        // Twice as long again as it has lasted: the pace follows from that.
        const toMs = Math.min(untilMs, fromMs + Math.max(everyMs, 2 * (fromMs - nowMs)))
        looks.push({ fromMs, toMs, everyMs })
        fromMs = toMs
      }
      return { untilMs, looks }
    },
  }
}

/** What `held` adds to a wait, on average. */
const HELD_SPREAD_MS = 30_000

/** When the answer is not "wait" any more, to the hour, if the CA stays away; `toMs` at most. */
function lastWait(
  need: SimulatedNeed,
  {
    choosing,
    fromMs,
    toMs,
  }: {
    readonly choosing: Choosing
    readonly fromMs: number
    readonly toMs: number
  },
): number {
  if (choosing.waitMs(need, toMs) !== undefined) return toMs
  let [waits, goes] = [fromMs, toMs]
  while (goes - waits > HOUR_MS) {
    const middle = (waits + goes) / 2
    if (choosing.waitMs(need, middle) === undefined) goes = middle
    else waits = middle
  }
  return waits
}
