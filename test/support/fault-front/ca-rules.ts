/**
 * What Let's Encrypt does and Pebble does not: rate limits with their exemptions, pauses, one
 * replacement for each certificate, and the same order again for the same wish. Counted from what
 * passes by.
 */
import type { Fault, RequestKind } from '../fault-front.ts'
import {
  type CaState,
  domainOf,
  type FrontRefusal,
  type KnownOrder,
  type Observed,
  type Question,
  toSet,
} from './ca-state.ts'
import { createFrontBuckets, type FrontLimit, type FrontLimits } from './front-limits.ts'
import { type IsInWindow, isOfRequests, judgeOrder, refuse } from './judge-order.ts'

/** The part of a front that behaves like a CA in good health. All of it can be set at run time. */
export interface CaRules {
  /** Counts from now on, with full buckets; `undefined`: nothing is limited. */
  enforce(limits: FrontLimits | undefined): void
  /** What is left; Infinity where nothing is limited. Names come after the account and a blank. */
  left(limit: FrontLimit, bucket?: string): number
  /** Every answer that said no for a limit or a pause, since the last reset. */
  readonly refusals: readonly FrontRefusal[]
  /** How many of them were 429. */
  readonly tooMany: number
  pause(hostname: string): void
  unpause(hostname: string): void
  /** Whether an open order is handed out again to who wants the same. */
  reuseOrders(mode: 'on' | 'off'): void
  /** This certificate (RFC 9773 §4.1) has been replaced already. */
  markReplaced(certificateId: string): void
  /** Forgets refusals; limits and pauses stay. */
  reset(): void
}

/** The rules, as the front uses them. */
export interface CaRulesInside extends CaRules {
  /** What is answered instead; `undefined`: Pebble may decide. */
  judge(question: Question): Promise<Fault | undefined>
  /** Hears what Pebble said. */
  observe(question: Question, observed: Observed): void
}

export function createCaRules(nowMs: () => number, isInWindow: IsInWindow): CaRulesInside {
  const state: CaState = {
    ...{ nowMs, limits: {}, buckets: createFrontBuckets({}, nowMs), refusals: [], reuse: 'off' },
    ...{ paused: new Set(), issued: new Set(), replaced: new Set(), ended: new Set() },
    ...{ orders: new Map(), coming: new Map() },
  }
  return {
    enforce: (limits = {}) => {
      state.limits = limits
      state.buckets = createFrontBuckets(limits, nowMs)
    },
    left: (limit, bucket = '') => state.buckets.left(limit, bucket),
    get refusals() {
      return state.refusals
    },
    get tooMany() {
      return state.refusals.filter(({ limit }) => !isOfRequests(limit)).length
    },
    pause: (hostname) => void state.paused.add(hostname),
    unpause: (hostname) => void state.paused.delete(hostname),
    reuseOrders: (mode) => {
      state.reuse = mode
    },
    markReplaced: (certificateId) => void state.replaced.add(certificateId),
    reset: () => {
      state.refusals = []
    },
    judge: async (question) => {
      const fault = judgeAddress(state, question.kind)
      if (fault || question.kind !== 'order-new') return fault
      return judgeOrder(state, question, isInWindow)
    },
    observe: (question, observed) => {
      if (observed.status < 300) observe(state, question, observed)
    },
  }
}

/** The load balancer's limits: newNonce and newOrder have their own. */
function judgeAddress(state: CaState, kind: RequestKind): Fault | undefined {
  const limit = REQUEST_LIMITS[kind] ?? 'requests'
  const waitMs = state.buckets.waitMs(limit, '')
  if (waitMs > 0) return refuse(state, { limit, name: '', waitMs })
  state.buckets.take(limit, '')
  return undefined
}

const REQUEST_LIMITS: Readonly<Partial<Record<RequestKind, FrontLimit>>> = {
  nonce: 'newNonces',
  'order-new': 'newOrders',
}

function observe(state: CaState, question: Question, { location, body }: Observed): void {
  const { kind, path } = question
  if (kind === 'order-new' && location !== undefined) noteOrder(state, question, { location, body })
  if (kind === 'authorization') noteAuthorization(state, question, body)
  if (kind !== 'order' && kind !== 'finalize') return
  const order = state.orders.get(path)
  if (!order) return
  order.body = body
  if (kind === 'finalize') noteIssued(state, order)
}

function noteOrder(
  state: CaState,
  { account = '' }: Question,
  { location, body }: { readonly location: string; readonly body: string },
): void {
  const { identifiers = [], finalize = '' } = JSON.parse(body) as {
    readonly identifiers?: readonly { readonly value: string }[]
    readonly finalize?: string
  }
  const names = identifiers.map(({ value }) => value)
  const standing = state.coming.get(`${account} ${toSet(names)}`)
  const unknown = { isRenewal: false, isExempt: false, replaces: undefined }
  const order: KnownOrder = { ...{ names, account, url: location, body }, ...(standing ?? unknown) }
  state.orders.set(new URL(location).pathname, order)
  state.orders.set(new URL(finalize).pathname, order)
}

function noteIssued(state: CaState, { names, isRenewal, isExempt, replaces }: KnownOrder): void {
  if (!isExempt) state.buckets.take('certificatesPerName', toSet(names))
  if (!isExempt && !isRenewal) {
    for (const name of names) state.buckets.take('certificatesPerDomain', domainOf(name))
  }
  state.issued.add(toSet(names))
  if (replaces !== undefined) state.replaced.add(replaces)
}

/** What has ended is counted once, however often it is read. */
function noteAuthorization(state: CaState, { path, account = '' }: Question, body: string): void {
  const { status, identifier } = JSON.parse(body) as {
    readonly status?: string
    readonly identifier?: { readonly value: string }
  }
  if (status !== 'invalid' && status !== 'valid') return
  if (state.ended.has(path)) return
  state.ended.add(path)
  const name = identifier?.value ?? ''
  const bucket = `${account} ${name}`
  if (status === 'valid') {
    state.buckets.fill('failuresInARow', bucket)
    return
  }
  state.buckets.take('failuresPerName', bucket)
  state.buckets.take('failuresInARow', bucket)
  if (state.buckets.waitMs('failuresInARow', bucket) > 0) state.paused.add(name)
}
