import type { Store } from '../../store/index.ts'
import { keysOf } from '../../vault/index.ts'
import { knownKeys } from '../open-keys.ts'
import { countSecrets } from '../secret-counts.ts'
import { type KeyKeeper, lackingKey } from './key-keeper.ts'
import { nodesSealingOtherwise } from './release-keys.ts'
import type { Rotation, RotationTable } from './rotation-table.ts'

/** What rests under which master key, and how far a rotation is. */
export interface KeyStatus {
  /** The one that seals first. */
  readonly keys: readonly KeyUse[]
  /** The one under way, or the one that was. */
  readonly rotation: RotationStatus | undefined
}

export interface KeyUse {
  readonly keyId: string
  readonly use:
    | 'seals'
    /** It is to seal, as soon as all nodes hold it. */
    | 'waits'
    /** Secrets rest under it. */
    | 'opens'
    /** Nothing rests under it, but a start asks for it until a rotation has ended. */
    | 'idle'
    /** Nobody asks for it but backups: it can be taken out of `vault.key`. */
    | 'retired'
    /** Secrets rest under it, and it is not at hand. */
    | 'missing'
  /** Secrets at rest under it. */
  readonly secrets: number
  /** Where it comes from; `undefined` if it is not at hand. */
  readonly source: string | undefined
}

export interface RotationStatus extends Rotation {
  /** Secrets still to be moved. */
  readonly left: number
  /** What keeps it from going on, as a sentence. */
  readonly waitsFor: string | undefined
}

export interface KeyStatusDeps {
  readonly store: Pick<Store, 'db'>
  readonly keeper: KeyKeeper
  readonly table: Pick<RotationTable, 'latest'>
}

export async function readKeyStatus({ store, keeper, table }: KeyStatusDeps): Promise<KeyStatus> {
  const [counts, known, latest] = await Promise.all([
    countSecrets(store.db),
    knownKeys(store),
    table.latest(),
  ])
  const held = new Map(keysOf(keeper.inUse).map(({ id, source }) => [id, source]))
  const ids = new Set([...held.keys(), ...counts.keys(), ...known])
  const sealing = keeper.inUse.current.id
  const useOf = (id: string, secrets: number): KeyUse['use'] => {
    if (id === sealing) return 'seals'
    if (secrets > 0) return held.has(id) ? 'opens' : 'missing'
    if (id === keeper.wanted.current.id) return 'waits'
    return known.includes(id) ? 'idle' : 'retired'
  }
  return {
    keys: [...ids].map((keyId) => {
      const secrets = counts.get(keyId) ?? 0
      return { keyId, use: useOf(keyId, secrets), secrets, source: held.get(keyId) }
    }),
    rotation: latest && (await toStatus(latest, counts, keeper)),
  }
}

async function toStatus(
  rotation: Rotation,
  counts: ReadonlyMap<string, number>,
  keeper: KeyKeeper,
): Promise<RotationStatus> {
  if (rotation.finishedAt) return { ...rotation, left: 0, waitsFor: undefined }
  const others = [...counts].filter(([keyId]) => keyId !== rotation.toKeyId)
  const left = others.reduce((sum, [, count]) => sum + count, 0)
  return {
    ...rotation,
    left,
    // More than at the beginning, if nodes went on sealing with an old key.
    total: Math.max(rotation.total, rotation.done + left),
    waitsFor: await whatItWaitsFor(rotation, left, keeper),
  }
}

async function whatItWaitsFor(
  { toKeyId }: Rotation,
  left: number,
  keeper: KeyKeeper,
): Promise<string | undefined> {
  const lacking = lackingKey(await keeper.others(), toKeyId)
  if (lacking.length > 0) return `${lacking.join(', ')} must hold key ${toKeyId} first.`
  if (keeper.inUse.current.id !== toKeyId) {
    return `Key ${toKeyId} is not the first of vault.key; to go on with the one that is, rotate again.`
  }
  if (left > 0) return undefined
  const otherwise = await nodesSealingOtherwise(keeper, toKeyId)
  return otherwise.length === 0 ? undefined : `${otherwise.join(', ')} must seal with it first.`
}
