import { type Clock, within } from '../kernel/index.ts'
import type { Store } from '../store/index.ts'

/** Why the store cannot be worked with right now; `undefined`: it can. */
export type StoreProbe = () => Promise<string | undefined>

/** Whoever asks whether a node is well gives up after a few seconds. */
const ANSWER_MS_MAX = 1_000

/** Asks the store something small: one question at a time, however often its state is asked for. */
export function createStoreProbe(
  { db }: Pick<Store, 'db'>,
  clock: Pick<Clock, 'sleep'>,
): StoreProbe {
  let asking: Promise<string | undefined> | undefined

  const ask = async (): Promise<string | undefined> => {
    try {
      await db.selectFrom('schema_migrations').select('version').limit(1).execute()
      return undefined
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    } finally {
      asking = undefined
    }
  }
  return async () => {
    asking ??= ask()
    const answer = await within(asking, ANSWER_MS_MAX, clock)
    return answer.kind === 'late' ? `no answer in ${ANSWER_MS_MAX} ms` : answer.value
  }
}
