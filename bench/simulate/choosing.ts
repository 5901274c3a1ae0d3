import {
  type BudgetVerdict,
  type CaChoice,
  type CaCondition,
  type CaNeed,
  type CaStanding,
  chooseCa,
  type OrderKind,
} from '../../src/acme/index.ts'
import type { HeldCertificate } from './certificate-book.ts'
import type { LedgerBook, OrderToJudge } from './ledger-book.ts'
import type { ModelledCa } from './modelled-ca.ts'
import type { Population } from './population.ts'

/** One of `acme.ca`, as it is and as Postern counts it. */
export interface SimulatedCa {
  readonly ca: ModelledCa
  readonly ledger: LedgerBook
}

/** What a certificate is for, as `chooseCa` reads it, and whose. */
export interface SimulatedNeed extends CaNeed {
  readonly host: number
  /** The certificate in use. */
  readonly current: HeldCertificate | undefined
  readonly now: Date
}

/** What Postern's store remembers of a CA that is away. */
export interface Trouble {
  readonly sinceMs: number
  readonly heldUntilMs: number
}

export type SimulatedAdmission =
  | {
      readonly kind: 'go'
      readonly ca: number
      /** What the budget said at this instant; none for an order that is open. */
      readonly paid: PaidOrder | undefined
    }
  | { readonly kind: 'queue' }
  | {
      readonly kind: 'wait'
      readonly because: Extract<CaChoice, { kind: 'wait' }>['because']
      readonly until: Date | undefined
    }

/** An order that the budget allows, and what it costs. */
export interface PaidOrder {
  readonly order: OrderToJudge
  readonly verdict: Extract<BudgetVerdict, { readonly kind: 'allowed' }>
}

/** Where to go for a certificate, as `src/acme/choose-desk.ts` finds out. */
export interface Choosing {
  choose(need: SimulatedNeed): SimulatedAdmission
  conditionOf(ca: number, nowMs: number): CaCondition
  /** How long one would wait then, if the preferred CA stayed away; `undefined`: not at all. */
  waitMs(need: SimulatedNeed, thenMs: number): number | undefined
}

/** How long nobody asks a CA that did not answer (`src/acme/authority-health.ts`). */
export const HOLD_MS = 60_000

export interface ChoosingDeps {
  readonly cas: readonly SimulatedCa[]
  readonly population: Population
  readonly troubles: readonly (Trouble | undefined)[]
  readonly hasIssued: readonly Uint8Array[]
  readonly pausedMs: readonly Map<number, number>[]
}

export function createChoosing(deps: ChoosingDeps): Choosing {
  const { cas, population, troubles, hasIssued, pausedMs } = deps

  const toJudge = (index: number, need: SimulatedNeed, nowMs: number): OrderToJudge => {
    const { host, urgency, current } = need
    const domain = population.domainOf(host)
    if (current?.ca === index) {
      const { windowStartMs, windowEndMs } = current
      const isInside = windowStartMs <= nowMs && nowMs < windowEndMs
      return { host, domain, kind: isInside ? 'ari-renewal' : 'renewal', urgency }
    }
    const kind: OrderKind = hasIssued[index]?.[host] === 1 ? 'renewal' : 'first'
    return { host, domain, kind, urgency }
  }
  const conditionOf = (index: number, nowMs: number): CaCondition => {
    const trouble = troubles[index]
    if (!trouble || trouble.heldUntilMs <= nowMs) return UP
    const { sinceMs, heldUntilMs } = trouble
    return { kind: 'down', since: new Date(sinceMs), until: new Date(heldUntilMs) }
  }
  const standingAt = (index: number, need: SimulatedNeed, nowMs: number): Standing => {
    const { ca, ledger } = at(cas, index)
    const pausedAtMs = pausedMs[index]?.get(need.host)
    const isPaused = pausedAtMs !== undefined && nowMs - pausedAtMs < PAUSED_MS
    const health = conditionOf(index, nowMs)
    const standing = { name: ca.name, caa: 'allows', health, isPaused } as const
    if (isPaused || health.kind !== 'up') return { ...standing, budget: ROOM, isShared: false }
    const order = toJudge(index, need, nowMs)
    const verdict = ledger.judge(order, nowMs)
    if (verdict.kind === 'allowed') {
      return { ...standing, budget: ROOM, isShared: false, paid: { order, verdict } }
    }
    const { until, scope, limit } = verdict
    const isHostsFault = limit === 'failures-per-name'
    const isShared = scope === 'account'
    return { ...standing, budget: { kind: 'empty', until }, isShared, isHostsFault }
  }

  return {
    conditionOf,
    choose: (need) => {
      const authorities: Standing[] = []
      let choice: CaChoice = { kind: 'none-allowed' }
      const { now } = need
      const nowMs = now.getTime()
      for (let index = 0; index < cas.length; index += 1) {
        const standing = standingAt(index, need, nowMs)
        // Another CA would see the same.
        if (standing.isHostsFault && standing.budget.kind === 'empty') {
          return { kind: 'wait', because: 'rate-limited', until: standing.budget.until }
        }
        authorities.push(standing)
        choice = chooseCa({ authorities, need, now })
        // The CAs that are preferred less cannot change that.
        if (choice.kind === 'go') break
      }
      if (choice.kind === 'none-allowed') throw new Error('Nothing forbids any CA here')
      const wanted = choice.ca
      const ca = authorities.findIndex(({ name }) => name === wanted)
      const chosen = at(authorities, ca)
      if (choice.kind === 'go') return { kind: 'go', ca, paid: chosen.paid }
      if (chosen.isShared) return { kind: 'queue' }
      return { kind: 'wait', because: choice.because, until: choice.until }
    },
    waitMs: (need, thenMs) => {
      const [preferred, ...others] = cas.map(({ ca }) => ca.name)
      const trouble = troubles[0]
      if (preferred === undefined || !trouble) return undefined
      const well = { caa: 'allows', budget: ROOM, isPaused: false } as const
      const until = new Date(thenMs + HOLD_MS)
      const health = { kind: 'down', since: new Date(trouble.sinceMs), until } as const
      const authorities: readonly CaStanding[] = [
        { ...well, name: preferred, health },
        ...others.map((name) => ({ ...well, name, health: UP })),
      ]
      const choice = chooseCa({ authorities, need, now: new Date(thenMs) })
      return choice.kind === 'wait' && choice.until ? choice.until.getTime() - thenMs : undefined
    },
  }
}

interface Standing extends CaStanding {
  /** It is the account's budget that is empty, and not one of the name. */
  readonly isShared: boolean
  readonly isHostsFault?: boolean
  readonly paid?: PaidOrder
}

const UP: CaCondition = { kind: 'up' }
const ROOM = { kind: 'room' } as const
/** After a day somebody may have lifted a pause (`src/acme/pause-plan.ts`). */
const PAUSED_MS = 24 * 3_600_000

/** What is at an index that is known to exist. */
export function at<T>(list: readonly T[], index: number): T {
  const found = list[index]
  if (found === undefined) throw new Error(`There is nothing at ${index}`)
  return found
}
