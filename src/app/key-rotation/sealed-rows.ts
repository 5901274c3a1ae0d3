import type { Kysely, Schema } from '../../store/index.ts'
import type { SealedColumn } from './sealed-columns.ts'

/** A secret at rest. */
export interface SealedRow {
  readonly id: string
  readonly owner: string
  readonly sealed: Buffer
}

/** Counts a column's secrets by master key, in the database: an index holds all it needs. */
export async function countByKey(
  db: Kysely<Schema>,
  { table }: Pick<SealedColumn, 'table'>,
): Promise<ReadonlyMap<string, number>> {
  const { dynamic } = db
  const keyId = dynamic.ref(SEALED_WITH)
  const rows = await db
    .selectFrom(dynamic.table(table).as('secret'))
    // The query builder gives only expressions a name, not columns that it learns while running.
    .select(({ fn, lit }) => [
      fn.coalesce(keyId, lit(null)).$castTo<Buffer>().as('keyId'),
      fn.countAll().as('count'),
    ])
    // A destroyed key leaves nothing.
    .where(keyId, '<>', Buffer.alloc(0))
    .groupBy(keyId)
    .execute()
  return new Map(rows.map((row) => [row.keyId.toString('hex'), Number(row.count)]))
}

/** The next secrets of a column that rest under one master key, in the order of their ids. */
export async function readUnderKey(
  db: Kysely<Schema>,
  { table, id, sealed, owner }: SealedColumn,
  {
    keyId,
    after,
    limit,
  }: { readonly keyId: string; readonly after: string; readonly limit: number },
): Promise<readonly SealedRow[]> {
  const { ref } = db.dynamic
  return await db
    .selectFrom(db.dynamic.table(table).as('secret'))
    .select(({ fn, lit }) => [
      fn.coalesce(ref(id), lit(null)).$castTo<string>().as('id'),
      fn.coalesce(ref(owner), lit(null)).$castTo<string>().as('owner'),
      fn.coalesce(ref(sealed), lit(null)).$castTo<Buffer>().as('sealed'),
    ])
    .where(ref(SEALED_WITH), '=', Buffer.from(keyId, 'hex'))
    .where(ref(id), '>', after)
    .orderBy(ref(id))
    .limit(limit)
    .execute()
}

/** Puts `fresh` where `sealed` still is; `false` if the row has become another one meanwhile. */
export async function replaceSealed(
  db: Kysely<Schema>,
  column: SealedColumn,
  { id, sealed, fresh }: Pick<SealedRow, 'id' | 'sealed'> & { readonly fresh: Buffer },
): Promise<boolean> {
  const { dynamic } = db
  const { numUpdatedRows } = await db
    .updateTable(dynamic.table(column.table).as('secret'))
    .set(dynamic.ref(column.sealed), fresh)
    .where(dynamic.ref(column.id), '=', id)
    .where(dynamic.ref(column.sealed), '=', sealed)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** Bytes 2 to 9 of the envelope, as the migrations say: always what the envelope says. */
const SEALED_WITH = 'sealed_with'
