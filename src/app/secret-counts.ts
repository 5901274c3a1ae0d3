import type { Kysely, Schema } from '../store/index.ts'
import { sealedColumns } from './key-rotation/sealed-columns.ts'
import { countByKey } from './key-rotation/sealed-rows.ts'

/** Counts, by the id of their master key, all secrets at rest. No row is read for it. */
export async function countSecrets(db: Kysely<Schema>): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>()
  for (const column of sealedColumns) {
    for (const [keyId, count] of await countByKey(db, column)) {
      counts.set(keyId, (counts.get(keyId) ?? 0) + count)
    }
  }
  return counts
}
