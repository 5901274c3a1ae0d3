/** Whether an order may be placed, after boulder's wfe2/wfe.go (`checkNewOrderLimits`). */
import type { Fault } from '../fault-front.ts'
import {
  type CaState,
  domainOf,
  type KnownOrder,
  type Question,
  refusePaused,
  toSet,
} from './ca-state.ts'
import { type FrontLimit, limitSentence } from './front-limits.ts'

/** Is this certificate inside the window that the CA suggests for its renewal? */
export type IsInWindow = (certificateId: string) => Promise<boolean>

/** What is answered instead of placing it; `undefined`: Pebble may place it. */
export async function judgeOrder(
  state: CaState,
  { account = '', payload = {} }: Question,
  isInWindow: IsInWindow,
): Promise<Fault | undefined> {
  const names = namesOf(payload)
  const pausedName = names.find((name) => state.paused.has(name))
  if (pausedName !== undefined) return refusePaused(state, pausedName)

  const replaces = typeof payload['replaces'] === 'string' ? payload['replaces'] : undefined
  if (replaces !== undefined && state.replaced.has(replaces)) return alreadyReplaced(replaces)

  const isExempt = replaces !== undefined && (await isInWindow(replaces))
  const isRenewal = state.issued.has(toSet(names))
  if (!isExempt) {
    const refusal = refuseForLimit(state, { account, names, isRenewal })
    if (refusal) return refusal
    // The others are taken when the certificate is issued, or when a validation fails.
    if (!isRenewal) state.buckets.take('ordersPerAccount', account)
  }
  const open = state.reuse === 'on' ? openOrderOf(state, account, toSet(names)) : undefined
  if (open) return { kind: 'answer', status: 201, location: open.url, body: open.body }
  state.coming.set(`${account} ${toSet(names)}`, { isRenewal, isExempt, replaces })
  return undefined
}

function namesOf(payload: Readonly<Record<string, unknown>>): readonly string[] {
  const { identifiers = [] } = payload as {
    readonly identifiers?: readonly { readonly value: string }[]
  }
  return identifiers.map(({ value }) => value)
}

function alreadyReplaced(certificateId: string): Fault {
  const detail = `cannot indicate an order replaces certificate ${certificateId}, which already has a replacement order`
  return { kind: 'problem', status: 409, type: 'alreadyReplaced', detail }
}

interface Wish {
  readonly account: string
  readonly names: readonly string[]
  readonly isRenewal: boolean
}

/** Of several limits, the one that forbids it for longest. */
function refuseForLimit(state: CaState, wish: Wish): Fault | undefined {
  const waits = bucketsOf(wish).map(([limit, bucket]) => ({
    ...{ limit, bucket, ms: state.buckets.waitMs(limit, bucket) },
  }))
  const [farthest] = waits.toSorted((a, b) => b.ms - a.ms)
  if (!farthest || farthest.ms === 0) return undefined
  const { limit, bucket, ms } = farthest
  return refuse(state, { limit, name: bucket.split(' ').at(-1) ?? '', waitMs: ms })
}

function bucketsOf({
  account,
  names,
  isRenewal,
}: Wish): readonly (readonly [FrontLimit, string])[] {
  const ofNames = names.map((name) => ['failuresPerName', `${account} ${name}`] as const)
  const always = [['certificatesPerName', toSet(names)] as const, ...ofNames]
  if (isRenewal) return always
  const ofDomains = names.map((name) => ['certificatesPerDomain', domainOf(name)] as const)
  return [['ordersPerAccount', account], ...ofDomains, ...always]
}

/** 429 with its time, or 503 of the load balancer for limits on requests. */
export function refuse(
  state: CaState,
  refused: { readonly limit: FrontLimit; readonly name: string; readonly waitMs: number },
): Fault {
  const { limit, name, waitMs } = refused
  const seconds = Math.ceil(waitMs / 1000)
  const retryAfter = String(seconds)
  const retryAt = new Date(state.nowMs() + seconds * 1000)
  state.refusals.push({ limit, name, at: new Date(state.nowMs()), retryAt })
  if (isOfRequests(limit)) return { kind: 'html', status: 503, retryAfter }
  const shape = state.limits[limit] ?? { capacity: 0, perMs: 0 }
  const detail = limitSentence(limit, shape, { name, retryAt })
  return { kind: 'problem', status: 429, type: 'rateLimited', detail, retryAfter }
}

export function isOfRequests(limit: FrontLimit | 'pause'): boolean {
  return limit === 'newNonces' || limit === 'newOrders' || limit === 'requests'
}

function openOrderOf(state: CaState, account: string, set: string): KnownOrder | undefined {
  return [...state.orders.values()].find((order) => {
    const { status } = JSON.parse(order.body) as { readonly status?: string }
    const isOpen = status === 'pending' || status === 'ready'
    return isOpen && order.account === account && toSet(order.names) === set
  })
}
