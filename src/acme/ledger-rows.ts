import type { Kysely, Schema, Store, Transaction } from '../store/index.ts'
import {
  ACCOUNT_BUCKET,
  type BucketName,
  type BucketShape,
  emptyAt,
  type FullAt,
  LATENESS_MS_MAX,
  type Spend,
  type TouchedBucket,
} from './budget.ts'
import { CLOCK_SKEW_MAX } from './clock-guard.ts'

/** The table of buckets: one row for each that is not full. */
export interface LedgerRows {
  /** What is known of these buckets; one statement. */
  read(ca: string, buckets: readonly BucketKey[], trx?: Transaction<Schema>): Promise<KnownRows>
  readAccount(ca: string): Promise<KnownRows>
  /** Writes what was spent; one statement, none for nothing. */
  write(ca: string, spend: readonly Spend[], trx: Transaction<Schema>): Promise<void>
  /** Moves an instant on, and never back. */
  postpone(ca: string, spend: Spend): Promise<void>
  /** The same for a bucket that is not full; a full one stays so. */
  raise(ca: string, spend: Spend, trx?: Transaction<Schema>): Promise<void>
  /** Brings back instants that nobody whose clock is right can have written. */
  mend(ca: string, touched: readonly TouchedBucket[], nowMs: number): Promise<void>
  /** Time stood still for so long: no bucket has filled up meanwhile. */
  shift(byMs: number, nowMs: number): Promise<void>
  /** The emptiest buckets of a limit, the emptiest first. */
  emptiest(ca: string, limit: BucketName, count: number): Promise<readonly Spend[]>
  /** The farthest instant that the CA told us to wait for, of any name. */
  toldUntil(ca: string, trx?: Transaction<Schema>): Promise<number | undefined>
  prune(beforeMs: number): Promise<void>
}

type BucketKey = Pick<TouchedBucket, 'limit' | 'bucket'>

export interface KnownRows {
  readonly fullAt: FullAt
  /** Those that lie further ahead than any node can have written in good faith. */
  impossible(touched: readonly TouchedBucket[], nowMs: number): readonly TouchedBucket[]
}

/**
 * The furthest ahead that an instant can lie: of an empty bucket, written by a node whose clock is
 * ahead of ours by as much as orders are still placed with. To bring that back would give away what
 * the other has spent, and again with each look.
 */
export function furthestMs(shape: BucketShape, nowMs: number): number {
  return Math.ceil(emptyAt(shape, nowMs)) + CLOCK_SKEW_MAX
}

/** A batch of deletions; other writers get their turn in between. */
const PRUNED_AT_ONCE_MAX = 1_000
/** The bound of one sweep; what is left waits for the next. */
const PRUNE_BATCHES_MAX = 1_000

export function createLedgerRows({ db }: Pick<Store, 'db'>): LedgerRows {
  return { ...createReading(db), ...createWriting(db), ...createMending(db) }
}

function createReading(
  db: Kysely<Schema>,
): Pick<LedgerRows, 'read' | 'readAccount' | 'emptiest' | 'toldUntil'> {
  return {
    read: async (ca, buckets, trx) => {
      const query = rowsOf(trx ?? db, ca).where((eb) =>
        eb.or(buckets.map((one) => eb.and(toKey(one)))),
      )
      return toKnown(await query.execute())
    },
    readAccount: async (ca) =>
      toKnown(await rowsOf(db, ca).where('bucket', '=', ACCOUNT_BUCKET).execute()),
    emptiest: async (ca, limit, count) => {
      const rows = await rowsOf(db, ca)
        .where('limit_name', '=', limit)
        .orderBy('full_at', 'desc')
        .limit(count)
        .execute()
      return rows.map(({ bucket, full_at }) => ({ limit, bucket, fullAtMs: full_at }))
    },
    toldUntil: async (ca, trx) => {
      const row = await (trx ?? db)
        .selectFrom('acme_ledger')
        .select(({ fn }) => fn.max('full_at').as('until'))
        .where('ca', '=', ca)
        .where('limit_name', '=', TOLD_TO_WAIT_NAME)
        .executeTakeFirst()
      return row?.until ?? undefined
    },
  }
}

function createWriting(db: Kysely<Schema>): Pick<LedgerRows, 'write' | 'postpone' | 'raise'> {
  const upsert = (ca: string, spend: readonly Spend[], trx: Kysely<Schema>) =>
    trx.insertInto('acme_ledger').values(spend.map((one) => toRow(ca, one)))

  return {
    write: async (ca, spend, trx) => {
      if (spend.length === 0) return
      await upsert(ca, spend, trx)
        .onConflict((conflict) =>
          conflict.columns(KEY).doUpdateSet((eb) => ({ full_at: eb.ref('excluded.full_at') })),
        )
        .execute()
    },
    postpone: async (ca, spend) => {
      await upsert(ca, [spend], db)
        .onConflict((conflict) =>
          conflict
            .columns(KEY)
            .doUpdateSet((eb) => ({ full_at: eb.ref('excluded.full_at') }))
            .where((eb) => eb('acme_ledger.full_at', '<', eb.ref('excluded.full_at'))),
        )
        .execute()
    },
    raise: async (ca, { limit, bucket, fullAtMs }, trx) => {
      await (trx ?? db)
        .updateTable('acme_ledger')
        .set({ full_at: fullAtMs })
        .where('ca', '=', ca)
        .where((eb) => eb.and(toKey({ limit, bucket })))
        .where('full_at', '<', fullAtMs)
        .execute()
    },
  }
}

function createMending(db: Kysely<Schema>): Pick<LedgerRows, 'mend' | 'shift' | 'prune'> {
  return {
    mend: async (ca, touched, nowMs) => {
      for (const one of touched) {
        const latest = Math.ceil(emptyAt(one.shape, nowMs))
        await db
          .updateTable('acme_ledger')
          .set({ full_at: latest })
          .where('ca', '=', ca)
          .where((eb) => eb.and(toKey(one)))
          .where('full_at', '>', furthestMs(one.shape, nowMs))
          .execute()
      }
    },
    shift: async (byMs, nowMs) => {
      await db
        .updateTable('acme_ledger')
        .set((eb) => ({ full_at: eb('full_at', '+', byMs) }))
        // What had filled up before the clock was set is full.
        .where('full_at', '>', nowMs - byMs - LATENESS_MS_MAX)
        // What the CA told us is an instant, and no bucket that fills up.
        .where('limit_name', '!=', TOLD_TO_WAIT_NAME)
        .execute()
    },
    prune: async (beforeMs) => {
      for (let batch = 0; batch < PRUNE_BATCHES_MAX; batch += 1) {
        if ((await pruneSome(db, beforeMs)) < PRUNED_AT_ONCE_MAX) return
      }
    },
  }
}

const KEY = ['ca', 'limit_name', 'bucket'] as const

function toKey({ limit, bucket }: BucketKey) {
  return { limit_name: limit, bucket }
}

const TOLD_TO_WAIT_NAME: BucketName = 'told-to-wait'

function rowsOf(db: Kysely<Schema>, ca: string) {
  return db
    .selectFrom('acme_ledger')
    .select(['limit_name', 'bucket', 'full_at'])
    .where('ca', '=', ca)
}

type Row = Awaited<ReturnType<ReturnType<typeof rowsOf>['execute']>>[number]

function toRow(ca: string, { limit, bucket, fullAtMs }: Spend) {
  return { ca, limit_name: limit, bucket, full_at: fullAtMs }
}

function toKnown(rows: readonly Row[]): KnownRows {
  const fullAt: FullAt = (limit, bucket) =>
    rows.find((row) => row.limit_name === limit && row.bucket === bucket)?.full_at
  return {
    fullAt,
    impossible: (touched, nowMs) =>
      touched.filter(
        ({ limit, bucket, shape }) => (fullAt(limit, bucket) ?? nowMs) > furthestMs(shape, nowMs),
      ),
  }
}

async function pruneSome(db: Kysely<Schema>, beforeMs: number): Promise<number> {
  const { numDeletedRows } = await db
    .deleteFrom('acme_ledger')
    .where((eb) =>
      eb(
        eb.refTuple('ca', 'limit_name', 'bucket'),
        'in',
        eb
          .selectFrom('acme_ledger')
          .select(['ca', 'limit_name', 'bucket'])
          .where('full_at', '<=', beforeMs)
          .limit(PRUNED_AT_ONCE_MAX)
          .$asTuple('ca', 'limit_name', 'bucket'),
      ),
    )
    .executeTakeFirst()
  return Number(numDeletedRows)
}
