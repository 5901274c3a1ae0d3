import { hkdfSync } from 'node:crypto'
import type { TicketKey } from '../edge/index.ts'
import { type Clock, hours, type Random } from '../kernel/index.ts'
import type { Store, TicketSecretRow } from '../store/index.ts'
import { type SealContext, toSealedBytes, type Vault } from '../vault/index.ts'

/**
 * The secrets of session tickets in the store, one per epoch: random, so that who steals the
 * database and the master key opens no session of an epoch that is over.
 */
export interface TicketSecrets {
  /**
   * The keys of the present: of this epoch, the next, and those whose tickets are still taken. Draws
   * what is missing, unless another node was faster, and removes what is over. The caller zeroes
   * what it gets. A secret that does not open is left out.
   */
  read(): Promise<readonly TicketKey[]>
}

/** How long a key seals: what one key that was stolen from memory can open is limited to that. */
const EPOCH = hours(12)
/** From the beginning of its epoch. A session lasts 12 h, and clocks may differ. */
const OPENS_FOR = hours(36)
/** RFC 5869 §3.3: as long as the hash. */
const SECRET_BYTES = 32
/** `TicketKey.bytes`. */
const KEY_BYTES = 48
const KEY_INFO = 'postern/ticket-keys/1'

export interface TicketSecretsDeps {
  readonly store: Pick<Store, 'db' | 'nowMs' | 'transaction'>
  readonly vault: Pick<Vault, 'seal' | 'open'>
  readonly clock: Pick<Clock, 'now'>
  readonly random: Pick<Random, 'bytes'>
  readonly onUnusable: (error: unknown) => void
}

export function createTicketSecrets(deps: TicketSecretsDeps): TicketSecrets {
  const { store, clock } = deps
  const readRows = (): Promise<readonly TicketSecretRow[]> =>
    store.db.selectFrom('ticket_secrets').selectAll().orderBy('starts_at').execute()

  return {
    read: async () => {
      const nowMs = clock.now().getTime()
      const epochs = [epochAt(nowMs), epochAt(nowMs + EPOCH)]
      let rows = await readRows()
      const missing = epochs.filter((startMs) => rows.every((row) => row.starts_at !== startMs))
      const isOver = rows.some((row) => row.starts_at + OPENS_FOR <= nowMs)
      if (missing.length > 0 || isOver) {
        await write(deps, missing)
        rows = await readRows()
      }
      const [, nextMs = nowMs] = epochs
      return rows
        .filter((row) => row.starts_at <= nextMs && nowMs < row.starts_at + OPENS_FOR)
        .flatMap((row) => toKey(row, deps))
    },
  }
}

function epochAt(ms: number): number {
  return Math.floor(ms / EPOCH) * EPOCH
}

/** What another node wrote first stays. What is over goes by the database's clock, not by ours. */
async function write(
  { store, vault, clock, random }: TicketSecretsDeps,
  epochs: readonly number[],
): Promise<void> {
  const rows = epochs.map((startMs) => {
    const id = idOf(startMs)
    const secret = random.bytes(SECRET_BYTES)
    try {
      const sealed = vault.seal(secret, contextOf(id))
      return { id, starts_at: startMs, sealed, created_at: clock.now().getTime() }
    } finally {
      secret.fill(0)
    }
  })
  await store.transaction(async (trx) => {
    await trx
      .deleteFrom('ticket_secrets')
      .where(({ eb }) => eb('starts_at', '<=', eb(store.nowMs, '-', OPENS_FOR)))
      .execute()
    if (rows.length === 0) return
    await trx
      .insertInto('ticket_secrets')
      .values(rows)
      .onConflict((conflict) => conflict.column('id').doNothing())
      .execute()
  })
}

function toKey(
  { id, starts_at: startMs, sealed }: TicketSecretRow,
  { vault, onUnusable }: Pick<TicketSecretsDeps, 'vault' | 'onUnusable'>,
): readonly TicketKey[] {
  try {
    const secret = vault.open(toSealedBytes(sealed), contextOf(id))
    try {
      const bytes = new Uint8Array(hkdfSync('sha256', secret, '', KEY_INFO, KEY_BYTES))
      return [{ bytes, sealsFromMs: startMs, opensUntilMs: startMs + OPENS_FOR }]
    } finally {
      secret.fill(0)
    }
  } catch (error) {
    onUnusable(error)
    return []
  }
}

function contextOf(id: string): SealContext {
  return { purpose: 'ticket-secret', owner: id, version: 1 }
}

function idOf(startMs: number): string {
  return `${new Date(startMs).toISOString().slice(0, 16)}Z`
}
