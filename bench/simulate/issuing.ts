import { type OrderKind, planRenewal, type RenewalCause } from '../../src/acme/index.ts'
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
import type { AcceptedOrder } from './modelled-ca.ts'
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
  issue(need: SimulatedNeed, admitted: number): SimulatedOutcome
  room(urgency: Urgency, nowMs: number): number
  /** Asks the CA for the window of a certificate, and plans anew if it has changed. */
  ask(host: number, certificate: HeldCertificate, nowMs: number): HeldCertificate | 'down'
  /**
   * Until when somebody who waits for a CA that is away will find nothing new, `latestMs` at most,
   * and how often it will look in vain.
   */
  waitInVain(need: SimulatedNeed, latestMs: number): VainWait
}

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
      return { kind: 'go', ca: opened.ca }
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
    index: number,
    need: SimulatedNeed,
    nowMs: number,
  ): OpenOrder | SimulatedOutcome => {
    const { ca, ledger } = at(cas, index)
    const { host, urgency, current } = need
    const order = choosing.toJudge(index, need, nowMs)
    const verdict = ledger.judge(order, nowMs)
    if (verdict.kind === 'denied') return { kind: 'queued' }
    ledger.spend(order, verdict)
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
  const finish = (host: number, opened: OpenOrder, nowMs: number): SimulatedOutcome => {
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
    const saved = { ...UNPLANNED, ...issued, ca: opened.ca, heldSinceMs: nowMs }
    return { kind: 'issued', certificate: withWindow(host, saved, nowMs) }
  }
  const withWindow = (
    host: number,
    certificate: HeldCertificate,
    nowMs: number,
  ): HeldCertificate => {
    const window = at(cas, certificate.ca).ca.window(host, certificate, nowMs)
    if (window.startMs === certificate.windowStartMs) return certificate
    return { ...certificate, ...planned(certificate, window, { nowMs, random }) }
  }
  const attempt = (need: SimulatedNeed, index: number, nowMs: number): SimulatedOutcome => {
    const { host } = need
    const left = open.get(host)
    if (left?.ca === index) {
      meter.counts.resumedOrders += 1
      return finish(host, left, nowMs)
    }
    const placed = place(index, need, nowMs)
    if ('kind' in placed) return placed
    if (!deps.isLost(nowMs)) return finish(host, placed, nowMs)
    open.set(host, placed)
    return { kind: 'lost' }
  }

  return {
    admit,
    // Once more elsewhere, if a CA turns out to be away (`src/acme/issue-somewhere.ts`).
    issue: (need, admitted) => {
      const nowMs = need.now.getTime()
      const outcome = attempt(need, admitted, nowMs)
      if (outcome.kind !== 'refused' || outcome.because === 'rejected') return outcome
      const next = admit(need)
      if (next.kind !== 'go' || next.ca === admitted) return outcome
      return attempt(need, next.ca, nowMs)
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
    ask: (host, certificate, nowMs) => {
      const { ca } = at(cas, certificate.ca)
      return ca.isUp(nowMs) ? withWindow(host, certificate, nowMs) : 'down'
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

const UNPLANNED: Pick<HeldCertificate, 'renewAtMs' | 'because' | 'windowStartMs' | 'windowEndMs'> =
  {
    ...{ renewAtMs: Number.NaN, because: 'two-thirds-used' },
    ...{ windowStartMs: Number.NaN, windowEndMs: Number.NaN },
  }

function planned(
  { notBeforeMs, notAfterMs, heldSinceMs }: HeldCertificate,
  { startMs, endMs }: { readonly startMs: number; readonly endMs: number },
  { nowMs, random }: { readonly nowMs: number; readonly random: Random },
): Plan {
  const life = { start: new Date(notBeforeMs), end: new Date(notAfterMs) }
  const window = { start: new Date(startMs), end: new Date(endMs) }
  const now = new Date(nowMs)
  const heldSince = heldSinceMs === nowMs ? now : new Date(heldSinceMs)
  const { renewAt, because } = planRenewal({ life, window, term: TERM, now, heldSince }, random)
  return {
    ...{ renewAtMs: renewAt.getTime(), because },
    ...{ windowStartMs: startMs, windowEndMs: endMs },
  }
}

interface Plan {
  readonly renewAtMs: number
  readonly because: RenewalCause
  readonly windowStartMs: number
  readonly windowEndMs: number
}
