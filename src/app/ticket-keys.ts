import type { TicketKey } from '../edge/index.ts'
import {
  type Clock,
  minutes,
  type Periodic,
  type Random,
  seconds,
  startPeriodic,
} from '../kernel/index.ts'
import type { AppRecord } from '../telemetry/index.ts'
import { createTicketSecrets, type TicketSecretsDeps } from './ticket-secrets.ts'

/** The ticket keys that all edges of this node are to have. */
export interface TicketKeys {
  /** Those in use. Whoever takes them copies them: they are zeroed when others take their place. */
  readonly current: readonly TicketKey[]
  /** Hands over others when there are any, until disposed. */
  keepFresh(use: (keys: readonly TicketKey[]) => void): Periodic
}

export interface TicketKeysDeps extends Pick<TicketSecretsDeps, 'store' | 'vault'> {
  readonly clock: Clock
  readonly random: Random
  readonly record: Pick<AppRecord, 'backgroundFailed'>
}

/**
 * A key is in the store for twelve hours before anybody seals with it: looking seldom is enough for
 * all nodes to have it by then.
 */
const LOOK_EVERY = minutes(10)
/** While no other node, and nobody after a restart, opens what is sealed here. */
const LOOK_EVERY_WITH_OWN_KEY = seconds(5)
/** `TicketKey.bytes`. */
const KEY_BYTES = 48

/**
 * Reads the keys that all nodes share. If none can be had, this node begins with one of its own: a
 * visitor who comes back shakes hands in full, which is better than not at all.
 */
export async function openTicketKeys(deps: TicketKeysDeps): Promise<TicketKeys> {
  const { clock, random, record } = deps
  const onUnusable = (error: unknown): void =>
    record.backgroundFailed({ loop: 'ticket-keys', error })
  const secrets = createTicketSecrets({ ...deps, onUnusable })

  const read = async (): Promise<readonly TicketKey[]> => {
    try {
      return await secrets.read()
    } catch (error) {
      onUnusable(error)
      return []
    }
  }

  let current = await read()
  let isShared = current.length > 0
  if (!isShared) current = [ownKey(random)]
  return {
    get current() {
      return current
    },
    keepFresh: (use) => {
      let isFirst = true
      const look = async (): Promise<void> => {
        const fresh = isFirst ? [] : await read()
        isFirst = false
        // With the store away, those known last go on.
        if (fresh.length === 0) return
        const before = current
        current = fresh
        isShared = true
        use(fresh)
        for (const { bytes } of before) bytes.fill(0)
      }
      const every = () => (isShared ? LOOK_EVERY : LOOK_EVERY_WITH_OWN_KEY)
      return startPeriodic(look, { clock, every, onError: onUnusable })
    },
  }
}

/** Any that others share takes its place. */
function ownKey(random: Random): TicketKey {
  const opensUntilMs = Number.POSITIVE_INFINITY
  return { bytes: random.bytes(KEY_BYTES), sealsFromMs: 0, opensUntilMs }
}
