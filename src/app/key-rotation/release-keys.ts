import { AppError, type Clock, type Duration, seconds } from '../../kernel/index.ts'
import type { Store } from '../../store/index.ts'
import type { VaultRecord } from '../../telemetry/index.ts'
import { knownKeys } from '../open-keys.ts'
import { countSecrets } from '../secret-counts.ts'
import type { KeyKeeper } from './key-keeper.ts'

export interface ReleaseKeysDeps {
  readonly store: Pick<Store, 'db' | 'engine'>
  readonly keeper: KeyKeeper
  readonly clock: Pick<Clock, 'monotonicMs' | 'sleep'>
  readonly record: Pick<VaultRecord, 'keysRetired'>
}

/** Nothing that is sealed takes longer until it is written; on other nodes a heartbeat is among it. */
const SETTLE: Duration = seconds(10)

/** Waits until nothing can be on its way to the store that was sealed with a key that sealed before. */
export async function untilSettled(
  { store, keeper, clock }: ReleaseKeysDeps,
  signal: AbortSignal,
): Promise<void> {
  const sealingMs = clock.monotonicMs() - keeper.sealingSinceMs
  const restMs = store.engine === 'postgres' ? SETTLE : SETTLE - sealingMs
  if (restMs > 0) await clock.sleep(restMs, signal)
}

/** The names of the other nodes that seal with another key than this one. */
export async function nodesSealingOtherwise(
  keeper: KeyKeeper,
  keyId: string,
): Promise<readonly string[]> {
  const others = await keeper.others()
  return others.filter(({ keyIds }) => keyIds[0] !== keyId).map(({ name }) => name)
}

/**
 * Lets go of the keys under which nothing rests: no start asks for them any more, and if wished they
 * leave the key file. In this order: killed in between, the next start has a key too many, never one
 * too few. Returns what went wrong, as a sentence.
 */
export async function releaseKeys(
  { store, keeper, record }: ReleaseKeysDeps,
  file: 'leave-in-file' | 'remove-from-file',
): Promise<string | undefined> {
  const counts = await countSecrets(store.db)
  const candidates = new Set([...keeper.inUse.byId.keys(), ...(await knownKeys(store))])
  const retired = [...candidates].filter(
    (id) => id !== keeper.inUse.current.id && id !== keeper.wanted.current.id && !counts.get(id),
  )
  if (retired.length === 0) return undefined
  await store.db.deleteFrom('key_checks').where('key_id', 'in', retired).execute()
  try {
    const isOurs = keeper.file !== undefined && store.engine === 'sqlite'
    if (file === 'remove-from-file' && isOurs) {
      await keeper.removeFromFile(new Set(retired))
    }
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return [error.message, error.fix].join(' ')
  } finally {
    record.keysRetired({ keyIds: retired })
  }
  return undefined
}
