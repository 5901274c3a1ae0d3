import { type Urgency, urgencyRank } from '../kernel/index.ts'
import type { HostEvent } from './host-event.ts'
import { type Host, hasCaReason, isNew, isWaitingForCa, NOTHING_UNDER_WAY } from './host-life.ts'
import { earlier } from './host-pace.ts'

export type WishEvent = Extract<
  HostEvent,
  { kind: 'check-asked' | 'renewal-asked' | 'renewal-moved' | 'brought' | 'handed-over' }
>

/** What somebody wants of a host, be it a CA. */
export function moveByWish(host: Host, event: WishEvent, now: Date): Partial<Host> {
  switch (event.kind) {
    case 'check-asked':
      return { failures: failuresOnceAsked(host), ...dueOnceAsked(host, now) }
    case 'renewal-asked':
      return askedFor(host, now)
    case 'renewal-moved':
      return moveRenewal(host, event, now)
    case 'brought': {
      const from = { certificateFrom: 'customer', takeOver: event.takeOver } as const
      const well = { reason: undefined, failures: 0 }
      return { ...NOTHING_UNDER_WAY, ...well, ...from, nextAttemptAt: now }
    }
    case 'handed-over':
      return { certificateFrom: 'acme', takeOver: false, ...askedFor(host, now) }
  }
}

/** A person looks at it: waiting is quick again; a CA that refused is still not hurried. */
function failuresOnceAsked(host: Host): number {
  if (isNew(host)) return 0
  return hasCaReason(host) ? host.failures : Math.min(host.failures, 1)
}

/** Due at once; but what the CA said about when to come back is not for us to overrule. */
function dueOnceAsked(host: Host, now: Date): Pick<Host, 'nextAttemptAt'> {
  return { nextAttemptAt: isWaitingForCa(host, now) ? host.nextAttemptAt : now }
}

/** Whoever asks for a certificate of a name does not mean that it is over. */
function askedFor(
  host: Host,
  now: Date,
): Pick<Host, 'renewalAskedAt' | 'ceasedAt' | 'urgency' | 'queuedAt' | 'nextAttemptAt'> {
  const urgency = isNew(host) ? host.urgency : moreUrgent(host.urgency, 'replace-now')
  const due = dueWith(host, { urgency, dueAt: now }, now)
  return { renewalAskedAt: now, ceasedAt: undefined, ...due }
}

/** Not later than it would come anyway: then it is looked at, and its plan followed. */
function moveRenewal(
  host: Host,
  { renewAt, urgency }: Extract<HostEvent, { kind: 'renewal-moved' }>,
  now: Date,
): Partial<Host> {
  if (host.certificateFrom === 'customer' || host.leftAt || host.ceasedAt) return {}
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
