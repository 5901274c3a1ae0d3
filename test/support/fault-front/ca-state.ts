import type { Fault, RequestKind } from '../fault-front.ts'
import type { FrontBuckets, FrontLimit, FrontLimits } from './front-limits.ts'

/** A request as the rules see it. */
export interface Question {
  readonly kind: RequestKind
  readonly path: string
  readonly account: string | undefined
  readonly payload: Readonly<Record<string, unknown>> | undefined
}

export interface Observed {
  readonly status: number
  readonly location: string | undefined
  readonly body: string
}

export interface FrontRefusal {
  readonly limit: FrontLimit | 'pause'
  readonly name: string
  readonly at: Date
  /** Of a pause there is none. */
  readonly retryAt: Date | undefined
}

/** What an order is to the limits. */
export interface OrderStanding {
  readonly isRenewal: boolean
  /** It replaces a certificate inside the window that was suggested for it. */
  readonly isExempt: boolean
  readonly replaces: string | undefined
}

export interface KnownOrder extends OrderStanding {
  readonly names: readonly string[]
  readonly account: string
  readonly url: string
  /** As Pebble showed it last. */
  body: string
}

/** All that the rules remember. */
export interface CaState {
  readonly nowMs: () => number
  limits: FrontLimits
  buckets: FrontBuckets
  refusals: FrontRefusal[]
  reuse: 'on' | 'off'
  readonly paused: Set<string>
  /** Sets of names that were issued, each in one text. */
  readonly issued: Set<string>
  readonly replaced: Set<string>
  /** Authorizations whose end was counted. */
  readonly ended: Set<string>
  /** By the path of the order, and by that of its finalization. */
  readonly orders: Map<string, KnownOrder>
  /** What was found out while an order was judged, for when Pebble has made it. */
  readonly coming: Map<string, OrderStanding>
}

/** Where people lift a pause. */
const UNPAUSE_URL = 'https://portal.ca.test/sfe/v1/unpause?jwt='

/** 429 without a time, as Boulder says it. */
export function refusePaused(state: CaState, name: string): Fault {
  state.refusals.push({ limit: 'pause', name, at: new Date(state.nowMs()), retryAt: undefined })
  const detail = `Your account is temporarily prevented from requesting certificates for ${name} and possibly others. Please visit: ${UNPAUSE_URL}${name}`
  return { kind: 'problem', status: 429, type: 'rateLimited', detail }
}

/** A set of names in one text. */
export function toSet(names: readonly string[]): string {
  return names.toSorted().join(' ')
}

/** Good enough for names of tests: the last two labels. */
export function domainOf(name: string): string {
  return name.split('.').slice(-2).join('.')
}
