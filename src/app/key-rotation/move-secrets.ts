import type { Clock } from '../../kernel/index.ts'
import type { Store } from '../../store/index.ts'
import type { VaultRecord } from '../../telemetry/index.ts'
import { type SealedBytes, toSealedBytes, type Vault, VaultError } from '../../vault/index.ts'
import type { Rotation, RotationTable } from './rotation-table.ts'
import { type SealedColumn, sealedColumns } from './sealed-columns.ts'
import { countByKey, readUnderKey, replaceSealed, type SealedRow } from './sealed-rows.ts'

export interface MoveSecretsDeps {
  readonly store: Pick<Store, 'db' | 'transaction'>
  readonly vault: Pick<Vault, 'rewrap' | 'currentKeyId'>
  readonly table: Pick<RotationTable, 'advance'>
  readonly clock: Pick<Clock, 'sleep'>
  readonly record: Pick<VaultRecord, 'secretUnreadable' | 'secretsMoved'>
}

export type MoveEnd =
  /** A whole pass found nothing more to move. */
  | { readonly kind: 'moved'; readonly unreadable: number }
  /** Another node goes on, or the key that seals has changed: nothing is lost. */
  | { readonly kind: 'interrupted' }

/** One transaction: 10 ms on SQLite, in which no other writer gets a turn. */
const BATCH_ROWS = 200
/** Between two of them everybody else does. A million secrets take about two minutes all the same. */
const BATCH_PAUSE_MS = 10
/** An error in the log for each of the first; the number of all is in the status. */
const UNREADABLE_TOLD_MAX = 20

/**
 * Gives every secret that rests under another master key to the one that seals now, in batches that
 * are each written as a whole: killed at any moment, it goes on where it was. A row that changed
 * meanwhile is left to the next pass. Ends when a pass over all columns has found nothing: what was
 * sealed with an old key while it ran has been moved, too.
 */
export async function moveSecrets(
  deps: MoveSecretsDeps,
  rotation: Pick<Rotation, 'id' | 'toKeyId'>,
  signal: AbortSignal,
): Promise<MoveEnd> {
  for (;;) {
    const pass = { found: 0, unreadable: 0 }
    for (const column of sealedColumns) {
      const end = await moveColumn(deps, { column, rotation, pass }, signal)
      if (end === 'interrupted') return { kind: 'interrupted' }
    }
    if (pass.found === pass.unreadable) return { kind: 'moved', unreadable: pass.unreadable }
  }
}

interface Moving {
  readonly column: SealedColumn
  readonly rotation: Pick<Rotation, 'id' | 'toKeyId'>
  /** Of this pass, so far. */
  readonly pass: { found: number; unreadable: number }
}

async function moveColumn(
  deps: MoveSecretsDeps,
  { column, rotation, pass }: Moving,
  signal: AbortSignal,
): Promise<'done' | 'interrupted'> {
  const { store, clock } = deps
  for (const keyId of (await countByKey(store.db, column)).keys()) {
    if (keyId === rotation.toKeyId) continue
    for (let after = ''; ; ) {
      const under = { keyId, after, limit: BATCH_ROWS }
      const rows = await readUnderKey(store.db, column, under)
      const last = rows.at(-1)
      if (!last) break
      after = last.id
      pass.found += rows.length
      const end = await moveBatch(deps, { column, rotation, pass }, rows)
      if (end === 'interrupted') return end
      await clock.sleep(BATCH_PAUSE_MS, signal)
    }
  }
  return 'done'
}

async function moveBatch(
  deps: MoveSecretsDeps,
  { column, rotation, pass }: Moving,
  rows: readonly SealedRow[],
): Promise<'done' | 'interrupted'> {
  const { store, vault, table, record } = deps
  // Not with whatever key seals by now: it may not be the one that all nodes have.
  if (vault.currentKeyId !== rotation.toKeyId) return 'interrupted'
  const fresh = rows.flatMap((row) => {
    const sealed = rewrapRow(row, column, vault)
    if (!(sealed instanceof VaultError)) return [{ ...row, fresh: sealed }]
    pass.unreadable += 1
    if (pass.unreadable <= UNREADABLE_TOLD_MAX) {
      record.secretUnreadable({ table: column.table, id: row.id, error: sealed })
    }
    return []
  })
  const moved = await store.transaction(async (trx) => {
    let count = 0
    for (const row of fresh) if (await replaceSealed(trx, column, row)) count += 1
    return (await table.advance(trx, rotation.id, count)) ? count : 'lost'
  })
  if (moved === 'lost') return 'interrupted'
  record.secretsMoved({ toKeyId: rotation.toKeyId, secrets: moved })
  return 'done'
}

/** One that does not open is no reason to leave the others where they are. */
function rewrapRow(
  { id, owner, sealed }: SealedRow,
  { contextOf }: SealedColumn,
  vault: Pick<Vault, 'rewrap'>,
): SealedBytes | VaultError {
  try {
    const envelope = toSealedBytes(sealed)
    const rewrapped = vault.rewrap(envelope, contextOf({ id, owner }))
    return rewrapped.kind === 'is-current' ? envelope : rewrapped.sealed
  } catch (error) {
    if (error instanceof VaultError) return error
    throw error
  }
}
