import type { Clock, Random } from '../kernel/index.ts'
import { seconds } from '../kernel/index.ts'
import { type GuardedAnswer, type GuardedFetch, toPrintable } from '../net/index.ts'
import type { AccountEvent } from './event.ts'
import type { Blame } from './retry-plan.ts'
import { signatureHeaders, signLikeMailgun } from './signature.ts'

/** What came of one attempt. `problem` is a sentence. */
export type DeliveryOutcome =
  | { readonly kind: 'delivered'; readonly status: number }
  /** The receiver wants neither this event nor to be asked again. */
  | { readonly kind: 'rejected'; readonly status: number; readonly problem: string }
  | {
      readonly kind: 'failed'
      readonly status: number | undefined
      readonly blame: Blame
      readonly problem: string
    }

/** Where to, signed with what. */
export interface Receiver {
  readonly url: string
  readonly key: Uint8Array
}

/** Sends one event once. Throws nothing but the signal's reason. */
export type Deliver = (
  receiver: Receiver,
  event: AccountEvent,
  attempt: number,
  signal: AbortSignal,
) => Promise<DeliveryOutcome>

/** Mailgun's receivers know no other; who needs longer should take the event and work later. */
const ANSWER_DEADLINE = seconds(10)

export function createDeliver({
  fetch,
  clock,
  random,
}: {
  readonly fetch: Pick<GuardedFetch, 'fetch'>
  readonly clock: Clock
  readonly random: Random
}): Deliver {
  return async ({ url, key }, event, attempt, signal) => {
    const now = clock.now()
    const body = JSON.stringify({
      signature: signLikeMailgun(key, now, random),
      'event-data': toWire(event),
    })
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'Postern (webhooks)',
      ...signatureHeaders(key, { id: event.id, now, body }),
      'postern-attempt': String(attempt),
    }
    const request = { url, method: 'POST', headers, body, deadline: ANSWER_DEADLINE } as const
    return judgeAnswer(await fetch.fetch(request, signal))
  }
}

/** In Mailgun's words: `event` is the kind, `timestamp` seconds with a fraction. */
function toWire({ id, at, account, kind, hostname, data }: AccountEvent) {
  return { ...data, id, event: kind, timestamp: at.getTime() / 1000, account, host: hostname }
}

function judgeAnswer(answer: GuardedAnswer): DeliveryOutcome {
  if (answer.kind !== 'answered') {
    return { kind: 'failed', status: undefined, blame: 'receiver', problem: answer.sentence }
  }
  const { status } = answer
  if (status >= 200 && status < 300) return { kind: 'delivered', status }
  const problem = `The receiver answered ${status}${quote(answer.body)}.`
  if (status === NOT_ACCEPTABLE) return { kind: 'rejected', status, problem }
  if (status >= 300 && status < 400) {
    const redirected = `The receiver answered ${status}: redirects are not followed.`
    return { kind: 'failed', status, blame: 'receiver', problem: redirected }
  }
  const blame = ABOUT_THE_EVENT.has(status) ? 'event' : 'receiver'
  return { kind: 'failed', status, blame, problem }
}

/** Mailgun's word for "never again". */
const NOT_ACCEPTABLE = 406
/** What a program answers that stumbles over one event. The others speak of address and service. */
const ABOUT_THE_EVENT: ReadonlySet<number> = new Set([400, 409, 413, 415, 422, 500])

function quote(body: string): string {
  const text = toPrintable(body)
  return text === '' ? '' : `: “${text}”`
}
