import {
  after,
  type Clock,
  type Duration,
  days,
  hours,
  milliseconds,
  type Periodic,
  startPeriodic,
} from '../kernel/index.ts'
import type { Schema, Store, Transaction } from '../store/index.ts'
import type { EventsRecord } from '../telemetry/index.ts'
import { pruneDeliveries, queueDelivery } from './delivery-table.ts'
import { type AccountEvent, type EventDraft, eventToRow, rowToEvent } from './event.ts'
import type { EventsOptions } from './options.ts'

/** What happened, kept for as long as `events.keepFor` says. */
export interface EventLog {
  /**
   * Writes an event down, and queues it for its account's webhook if there is one: both or nothing.
   * False, and nothing done, if an event of that id is there already. In the caller's transaction,
   * if one is given.
   */
  append(event: EventDraft, trx?: Transaction<Schema>): Promise<boolean>
  /** Newest first. */
  page(request: EventsPageRequest): Promise<EventPage>
  /** Removes what is too old, until it is disposed. */
  startPruning(): Periodic
}

export interface EventsPageRequest {
  readonly account?: string | undefined
  readonly hostname?: string | undefined
  readonly kind?: string | undefined
  readonly limit: number
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined
}

export interface EventPage {
  readonly items: readonly AccountEvent[]
  /** Where the next page starts; absent on the last. */
  readonly nextCursor: string | undefined
}

interface EventLogDeps {
  readonly store: Pick<Store, 'db' | 'transaction'>
  readonly clock: Clock
  readonly record: EventsRecord
}

/** A page is held in memory: some MB. */
const PAGE_ITEMS_MAX = 1000
/** Removed in one transaction: others wait for it. */
const PRUNED_AT_ONCE_MAX = 1000
const PRUNE_EVERY = hours(1)
/** What became of a delivery is of interest for a while. Nothing waits for that long. */
const DELIVERIES_KEPT = days(30)

export function createEventLog(
  { store, clock, record }: EventLogDeps,
  { keepFor }: EventsOptions,
): EventLog {
  const append = async (event: EventDraft, trx: Transaction<Schema>): Promise<boolean> => {
    const { numInsertedOrUpdatedRows } = await trx
      .insertInto('events')
      .values(eventToRow(event))
      .onConflict((conflict) => conflict.column('id').doNothing())
      .executeTakeFirst()
    if (!numInsertedOrUpdatedRows) return false
    await queueDelivery(trx, event, clock.now())
    return true
  }
  const ago = (span: Duration): Date => after(clock.now(), milliseconds(-span))
  const prune = async (signal: AbortSignal): Promise<void> => {
    const before = firstIdOf(ago(keepFor))
    for (let count = PRUNED_AT_ONCE_MAX; count === PRUNED_AT_ONCE_MAX && !signal.aborted; ) {
      count = await pruneEvents(store, before)
      if (count > 0) record.eventsPruned({ count })
    }
    await pruneDeliveries(store, firstIdOf(ago(DELIVERIES_KEPT)))
  }

  return {
    append: (event, trx) =>
      trx ? append(event, trx) : store.transaction((own) => append(event, own)),
    page: (request) => readPage(store, request),
    startPruning: () =>
      startPeriodic(prune, {
        clock,
        every: PRUNE_EVERY,
        onError: (error) => record.loopFailed({ loop: 'prune', error }),
      }),
  }
}

/** The least id of that time: ids begin with 48 bits of milliseconds (`newId`). */
function firstIdOf(at: Date): string {
  return Math.max(0, at.getTime()).toString(16).padStart(12, '0')
}

/**
 * Removes some of the events before this id, with their deliveries; returns how many. One that
 * still waits for its receiver stays, however old the clock says it is.
 */
function pruneEvents(store: Pick<Store, 'transaction'>, before: string): Promise<number> {
  return store.transaction(async (trx) => {
    const old = await trx
      .selectFrom('events')
      .select('id')
      .where('id', '<', before)
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('webhook_deliveries')
              .select('event_id')
              .whereRef('event_id', '=', 'events.id')
              .where('state', '=', 'waiting'),
          ),
        ),
      )
      .orderBy('id')
      .limit(PRUNED_AT_ONCE_MAX)
      .execute()
    if (old.length === 0) return 0
    const ids = old.map(({ id }) => id)
    await trx.deleteFrom('webhook_deliveries').where('event_id', 'in', ids).execute()
    await trx.deleteFrom('events').where('id', 'in', ids).execute()
    return ids.length
  })
}

async function readPage(
  { db }: Pick<Store, 'db'>,
  { account, hostname, kind, limit, cursor }: EventsPageRequest,
): Promise<EventPage> {
  const size = Math.max(1, Math.min(limit, PAGE_ITEMS_MAX))
  let query = db
    .selectFrom('events')
    .selectAll()
    .orderBy('id', 'desc')
    .limit(size + 1)
  if (account !== undefined) query = query.where('account', '=', account)
  if (hostname !== undefined) query = query.where('hostname', '=', hostname)
  if (kind !== undefined) query = query.where('kind', '=', kind)
  if (cursor !== undefined) query = query.where('id', '<', cursor)
  const rows = await query.execute()
  const items = rows.slice(0, size).map(rowToEvent)
  return { items, nextCursor: rows.length > size ? items.at(-1)?.id : undefined }
}
