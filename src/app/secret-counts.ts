import type { Store } from '../store/index.ts'
import { toSealedBytes, type Vault } from '../vault/index.ts'

export interface KeyUse {
  readonly keyId: string
  readonly current: boolean
  /** Secrets at rest under this key: none means that it can be taken away. */
  readonly secrets: number
}

/** Rows read at a time: an envelope has some 300 bytes. */
const BATCH_ROWS = 5_000

/** Counts, per key-encryption key, what rests under it. Reads every sealed column. */
export async function countSecrets(store: Store, vault: Vault): Promise<readonly KeyUse[]> {
  const counts = new Map(vault.keyIds.map((keyId) => [keyId, 0]))
  for await (const sealed of sealedColumns(store)) {
    const keyId = vault.keyIdOf(toSealedBytes(sealed))
    counts.set(keyId, (counts.get(keyId) ?? 0) + 1)
  }
  return [...counts].map(([keyId, secrets]) => ({
    keyId,
    current: keyId === vault.currentKeyId,
    secrets,
  }))
}

async function* sealedColumns({ db }: Store): AsyncIterable<Buffer> {
  const small = await Promise.all([
    db.selectFrom('acme_accounts').select('sealed_key as sealed').execute(),
    db.selectFrom('link_keys').select('sealed').execute(),
  ])
  for (const { sealed } of small.flat()) yield sealed
  yield* inBatches((after) =>
    db
      .selectFrom('certificates')
      .select(['id', 'sealed_key as sealed'])
      .where('id', '>', after)
      .orderBy('id')
      .limit(BATCH_ROWS)
      .execute(),
  )
  yield* inBatches((after) =>
    db
      .selectFrom('acme_orders')
      .select(['id', 'sealed_key as sealed'])
      .where('id', '>', after)
      .orderBy('id')
      .limit(BATCH_ROWS)
      .execute(),
  )
}

/** Destroyed keys leave an empty column behind. */
async function* inBatches(
  read: (after: string) => Promise<readonly { readonly id: string; readonly sealed: Buffer }[]>,
): AsyncIterable<Buffer> {
  let after = ''
  for (;;) {
    const rows = await read(after)
    for (const { sealed } of rows) if (sealed.length > 0) yield sealed
    const last = rows.at(-1)
    if (!last) return
    after = last.id
  }
}
