import { strict as assert } from 'node:assert'
import type { NoticeKind } from '../kernel/index.ts'
import type { EventRow } from '../store/index.ts'

/** What kinds of events there are to write down; an account's `test` of its webhook is not. */
export type EventKind = NoticeKind

/** Something that happened, for an account to know. */
export interface EventDraft {
  /** Made by `newId`, so that it sorts by time. The same event has the same id, however often told. */
  readonly id: string
  readonly at: Date
  readonly account: string
  readonly kind: EventKind
  readonly hostname?: string | undefined
  /** What there is to say, fit for JSON: `reason`, `certificate` … Without secrets. */
  readonly data: Readonly<Record<string, unknown>>
}

/** An event as it was written down. */
export interface AccountEvent {
  readonly id: string
  readonly at: Date
  readonly account: string
  /** An `EventKind` of this version or of another. */
  readonly kind: string
  readonly hostname: string | undefined
  readonly data: Readonly<Record<string, unknown>>
}

/** An event is read by people and sent as one request: it is no place for documents. */
const DATA_CHARACTERS_MAX = 64 * 1024
const EVENT_ID = /^[0-9a-f]{32}$/

export function eventToRow({ id, at, account, kind, hostname, data }: EventDraft): EventRow {
  assert(EVENT_ID.test(id), 'an event has an id by newId')
  const text = JSON.stringify(data)
  assert(text.length <= DATA_CHARACTERS_MAX, 'an event is small')
  return { id, at: at.getTime(), account, kind, hostname: hostname ?? null, data: text }
}

export function rowToEvent({ at, hostname, data, ...row }: EventRow): AccountEvent {
  return { ...row, at: new Date(at), hostname: hostname ?? undefined, data: JSON.parse(data) }
}
