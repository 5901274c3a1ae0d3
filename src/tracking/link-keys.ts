import { createSecretKey } from 'node:crypto'
import { type Clock, createSingleFlight, type Random, seconds } from '../kernel/index.ts'
import type { Store } from '../store/index.ts'
import { type SealContext, toSealedBytes, type Vault } from '../vault/index.ts'
import { TrackingError } from './errors.ts'
import type { LinkKey } from './signed-link.ts'

/** The keys of links, opened and in memory. */
export interface LinkKeys {
  /** Reads the keys, and makes the first one if there is none. */
  ensure(): Promise<void>
  /** Reads the keys. A key that does not open throws: its links would die in silence. */
  reload(): Promise<void>
  /** Reads the keys if that was not done just now; says whether it did. For unknown key ids. */
  refresh(): Promise<boolean>
  /** The key that signs. Throws 'tracking/no-key' before `ensure`. */
  current(): LinkKey
  /** All keys by id, retired ones too: they open the links they signed. */
  all(): ReadonlyMap<string, LinkKey>
}

/** A key made on another node is known here after this at the latest, however many ask for it. */
const REFRESH_PAUSE = seconds(5)
/** RFC 2104 §3: as long as the hash. */
const SECRET_BYTES = 32
/** 8 characters of base64url in each link. */
const KEY_ID_BYTES = 6

export function createLinkKeys({
  store,
  vault,
  clock,
  random,
}: {
  readonly store: Pick<Store, 'db' | 'transaction'>
  readonly vault: Pick<Vault, 'seal' | 'open'>
  readonly clock: Clock
  readonly random: Random
}): LinkKeys {
  let byId: ReadonlyMap<string, LinkKey> = new Map()
  let signing: LinkKey | undefined
  let readAtMs = Number.NEGATIVE_INFINITY
  const singleFlight = createSingleFlight<'read', void>()

  const reload = async (): Promise<void> => {
    readAtMs = clock.monotonicMs()
    const rows = await store.db.selectFrom('link_keys').selectAll().orderBy('created_at').execute()
    const opened = rows.map((row) => openKey(row, vault))
    const active = new Set(rows.filter((row) => row.retired_at === null).map(({ id }) => id))
    byId = new Map(opened.map((key) => [key.id, key]))
    signing = opened.findLast(({ id }) => active.has(id))
  }

  return {
    ensure: async () => {
      await store.transaction(async (trx) => {
        const active = trx.selectFrom('link_keys').select('id').where('retired_at', 'is', null)
        if (await active.executeTakeFirst()) return
        const row = sealNewKey({ vault, clock, random })
        await trx.insertInto('link_keys').values(row).execute()
      })
      await reload()
    },
    reload,
    refresh: async () => {
      if (clock.monotonicMs() - readAtMs < REFRESH_PAUSE) return false
      await singleFlight('read', reload)
      return true
    },
    current: () => {
      if (signing) return signing
      throw new TrackingError('tracking/no-key', 'There is no key to sign links with.')
    },
    all: () => byId,
  }
}

function sealNewKey({
  vault,
  clock,
  random,
}: {
  readonly vault: Pick<Vault, 'seal'>
  readonly clock: Clock
  readonly random: Random
}) {
  const id = random.bytes(KEY_ID_BYTES).toString('base64url')
  const secret = random.bytes(SECRET_BYTES)
  try {
    const sealed = vault.seal(secret, contextOf(id))
    return { id, sealed, created_at: clock.now().getTime(), retired_at: null }
  } finally {
    secret.fill(0)
  }
}

function openKey(row: { id: string; sealed: Buffer }, vault: Pick<Vault, 'open'>): LinkKey {
  const secret = vault.open(toSealedBytes(row.sealed), contextOf(row.id))
  try {
    return { id: row.id, secret: createSecretKey(secret) }
  } finally {
    secret.fill(0)
  }
}

function contextOf(keyId: string): SealContext {
  return { purpose: 'link-signing-key', owner: keyId, version: 1 }
}
