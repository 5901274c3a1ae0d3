import type { Kysely, Schema } from '../../store/index.ts'
import { KEY_ID_IN_ENVELOPE } from '../../vault/index.ts'
import type { SealedColumn } from './sealed-columns.ts'

/** A secret at rest. */
export interface SealedRow {
  readonly id: string
  readonly owner: string
  readonly sealed: Buffer
}

/** Counts a column's secrets by master key, in the database: an index holds the key ids. */
export async function countByKey(
  db: Kysely<Schema>,
  { table, sealed }: SealedColumn,
): Promise<ReadonlyMap<string, number>> {
  const { dynamic } = db
  const envelope = dynamic.ref(sealed)
  const rows = await db
    .selectFrom(dynamic.table(table).as('secret'))
    .select(({ fn, lit }) => [
      fn<Buffer>('substr', [envelope, lit(START), lit(BYTES)]).as('keyId'),
      fn.countAll().as('count'),
    ])
    // A destroyed key leaves nothing. In these words, because the index is asked for in them.
    .where(
      ({ fn }) => fn<number>('length', [envelope]),
      '>',
      ({ lit }) => lit(0),
    )
    .groupBy(({ fn, lit }) => fn('substr', [envelope, lit(START), lit(BYTES)]))
    .execute()
  return new Map(rows.map(({ keyId, count }) => [keyId.toString('hex'), Number(count)]))
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
  const { dynamic } = db
  const envelope = dynamic.ref(sealed)
  return await db
    .selectFrom(dynamic.table(table).as('secret'))
    // The query builder gives only expressions a name, not columns that it learns while running.
    .select(({ fn, lit }) => [
      fn.coalesce(dynamic.ref(id), lit(null)).$castTo<string>().as('id'),
      fn.coalesce(dynamic.ref(owner), lit(null)).$castTo<string>().as('owner'),
      fn.coalesce(envelope, lit(null)).$castTo<Buffer>().as('sealed'),
    ])
    .where(
      ({ fn }) => fn<number>('length', [envelope]),
      '>',
      ({ lit }) => lit(0),
    )
    .where(
      ({ fn, lit }) => fn<Buffer>('substr', [envelope, lit(START), lit(BYTES)]),
      '=',
      Buffer.from(keyId, 'hex'),
    )
    .where(dynamic.ref(id), '>', after)
    .orderBy(dynamic.ref(id))
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

/** SQL counts from one. */
const START = KEY_ID_IN_ENVELOPE.offset + 1
const BYTES = KEY_ID_IN_ENVELOPE.bytes
