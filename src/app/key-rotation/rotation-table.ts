import { type Duration, seconds } from '../../kernel/index.ts'
import {
  isUniqueViolation,
  type KeyRotationRow,
  type Kysely,
  type Schema,
  type Store,
} from '../../store/index.ts'

/** One move of all secrets to another master key. At most one is under way over all nodes. */
export interface Rotation {
  readonly id: string
  readonly toKeyId: string
  readonly startedAt: Date
  readonly updatedAt: Date
  /** `undefined` while it is under way. */
  readonly finishedAt: Date | undefined
  /** Secrets there were to move when it began. */
  readonly total: number
  readonly done: number
  /** Secrets that no key at hand opens; they stay as they are. */
  readonly unreadable: number
  /** Whether keys under which nothing rests any more are taken away at the end. */
  readonly retireOld: boolean
  /** What went wrong at its end, as a sentence. */
  readonly problem: string | undefined
}

export interface RotationTable {
  /** The one under way, or the one that was. */
  latest(): Promise<Rotation | undefined>
  underWay(): Promise<Rotation | undefined>
  /** `false`: somebody else began one just now. */
  begin(draft: RotationDraft): Promise<boolean>
  /** The one under way goes on to another key, or is to do more at its end. */
  change(
    id: string,
    change: Partial<Pick<RotationDraft, 'toKeyId' | 'total' | 'retireOld'>>,
  ): Promise<void>
  /** Takes the one under way for this node, unless another living one has it. */
  claim(): Promise<Rotation | undefined>
  /**
   * Inside the transaction of a batch: keeps the lease and counts what was done. `false`: another
   * node has it now.
   */
  advance(trx: Kysely<Schema>, id: string, done: number): Promise<boolean>
  /** Unless it goes on to another key by now. */
  finish(
    rotation: Pick<Rotation, 'id' | 'toKeyId'>,
    end: Pick<Rotation, 'unreadable' | 'problem'>,
  ): Promise<void>
  /** Takes back one whose key came to nothing. */
  drop(toKeyId: string): Promise<void>
}

export interface RotationDraft extends Pick<Rotation, 'id' | 'toKeyId' | 'total' | 'retireOld'> {}

/** A batch takes a fraction of it. After that another node goes on. */
const LEASE: Duration = seconds(30)

export function createRotationTable(
  store: Pick<Store, 'db' | 'engine' | 'nowMs' | 'transaction'>,
  holder: string,
): RotationTable {
  const { db, nowMs } = store
  return {
    latest: async () => {
      const row = await db
        .selectFrom('key_rotations')
        .selectAll()
        .orderBy('finished_at', (order) => order.desc().nullsFirst())
        .limit(1)
        .executeTakeFirst()
      return row && toRotation(row)
    },
    underWay: async () => {
      const row = await findOpen(db)
      return row && toRotation(row)
    },
    begin: (draft) => begin(store, draft),
    change: async (id, { toKeyId, total, retireOld }) => {
      await db
        .updateTable('key_rotations')
        .set({
          ...(toKeyId === undefined ? {} : { to_key_id: toKeyId }),
          ...(total === undefined ? {} : { secrets_total: total, secrets_done: 0 }),
          ...(retireOld === undefined ? {} : { retire_old: retireOld ? 1 : 0 }),
          updated_at: nowMs,
        })
        .where('id', '=', id)
        .execute()
    },
    claim: () => claim(store, holder),
    advance: async (trx, id, done) => {
      const { numUpdatedRows } = await trx
        .updateTable('key_rotations')
        .set(({ eb }) => ({
          secrets_done: eb('secrets_done', '+', done),
          updated_at: nowMs,
          lease_until: eb(nowMs, '+', LEASE),
        }))
        .where('id', '=', id)
        .where('lease_holder', '=', holder)
        .where('finished_at', 'is', null)
        .executeTakeFirst()
      return numUpdatedRows > 0n
    },
    finish: async ({ id, toKeyId }, { unreadable, problem }) => {
      await db
        .updateTable('key_rotations')
        .set({ finished_at: nowMs, updated_at: nowMs, unreadable, problem: problem ?? null })
        .where('id', '=', id)
        .where('to_key_id', '=', toKeyId)
        .where('lease_holder', '=', holder)
        .execute()
    },
    drop: async (toKeyId) => {
      await db
        .deleteFrom('key_rotations')
        .where('to_key_id', '=', toKeyId)
        .where('finished_at', 'is', null)
        .execute()
    },
  }
}

async function begin(
  { db, nowMs }: Pick<Store, 'db' | 'nowMs'>,
  { id, toKeyId, total, retireOld }: RotationDraft,
): Promise<boolean> {
  try {
    await db
      .insertInto('key_rotations')
      .values({
        ...{ id, to_key_id: toKeyId, started_at: nowMs, updated_at: nowMs },
        ...{ secrets_total: total, secrets_done: 0, unreadable: 0 },
        retire_old: retireOld ? 1 : 0,
      })
      .execute()
    return true
  } catch (error) {
    if (isUniqueViolation(error)) return false
    throw error
  }
}

/** On SQLite there is one server: whoever had the lease is dead. */
function claim(
  { engine, nowMs, transaction }: Pick<Store, 'engine' | 'nowMs' | 'transaction'>,
  holder: string,
): Promise<Rotation | undefined> {
  return transaction(async (trx) => {
    const row = await findOpen(trx)
    if (!row) return undefined
    const { numUpdatedRows } = await trx
      .updateTable('key_rotations')
      .set({ lease_holder: holder, lease_until: ({ eb }) => eb(nowMs, '+', LEASE) })
      .where('id', '=', row.id)
      .$if(engine === 'postgres', (update) =>
        update.where(({ eb, or }) =>
          or([
            eb('lease_holder', 'is', null),
            eb('lease_holder', '=', holder),
            eb('lease_until', '<', nowMs),
          ]),
        ),
      )
      .executeTakeFirst()
    return numUpdatedRows > 0n ? toRotation(row) : undefined
  })
}

function findOpen(db: Kysely<Schema>): Promise<KeyRotationRow | undefined> {
  return db
    .selectFrom('key_rotations')
    .selectAll()
    .where('finished_at', 'is', null)
    .executeTakeFirst()
}

function toRotation(row: KeyRotationRow): Rotation {
  return {
    id: row.id,
    toKeyId: row.to_key_id,
    startedAt: new Date(row.started_at),
    updatedAt: new Date(row.updated_at),
    finishedAt: row.finished_at === null ? undefined : new Date(row.finished_at),
    total: row.secrets_total,
    done: row.secrets_done,
    unreadable: row.unreadable,
    retireOld: row.retire_old === 1,
    problem: row.problem ?? undefined,
  }
}
