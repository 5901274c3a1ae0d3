import type { Clock } from '../../kernel/index.ts'
import type { Store } from '../../store/index.ts'
import type { VaultRecord } from '../../telemetry/index.ts'
import {
  addKeyToFile,
  type EnvironmentVariables,
  joinKeyRings,
  type KeyEncryptionKey,
  type KeyRing,
  type KeyRingHolder,
  keyFileOf,
  keysOf,
  openKeyRing,
  removeKeysFromFile,
  sealingWith,
  VaultError,
  type VaultOptions,
} from '../../vault/index.ts'
import type { EdgeFleet } from '../fleet/edge-fleet.ts'
import type { Nodes, OtherNode } from '../nodes.ts'
import { idsOf, knownKeys, noteKeyCheck, proveKeys } from '../open-keys.ts'
import { countSecrets } from '../secret-counts.ts'
import { KeysError } from './errors.ts'
import { chooseSealingKey } from './sealing-key-plan.ts'
import { createTurns } from './turns.ts'

/** The master keys of this node while it runs: reads them again, hands them on, lets them go. */
export interface KeyKeeper extends AsyncDisposable {
  /** In the order of `vault.key`: the first is the one that is to seal. */
  readonly wanted: KeyRing
  /** What is in use now. */
  readonly inUse: KeyRing
  /** When the key that seals now began to, on the monotonic clock. */
  readonly sealingSinceMs: number
  /** The one file that all keys are in, if that is where they are. */
  readonly file: string | undefined
  /**
   * Reads the keys again, from `options` or from where they were. A ring that cannot open what the
   * store holds is refused (VaultError), and so is one that an edge worker does not take: what was
   * in use stays in use. Otherwise everything in this node uses it when this resolves.
   */
  reload(options?: VaultOptions): Promise<'changed' | 'unchanged'>
  /** Lets the key that is to seal do so, as soon as all nodes can open what it seals. */
  settle(): Promise<void>
  /** Puts a key first into the file, and takes it into use. */
  addToFile(key: KeyEncryptionKey): Promise<void>
  /** Takes keys out of the file and out of use. */
  removeFromFile(keyIds: ReadonlySet<string>): Promise<void>
  /** The other living nodes. */
  others(): Promise<readonly OtherNode[]>
}

export interface KeyKeeperDeps {
  readonly store: Store
  readonly keyRing: KeyRingHolder
  readonly wanted: KeyRing
  readonly fleet: Pick<EdgeFleet, 'useKeyRing'>
  /** Only where several nodes share the store. */
  readonly nodes: Pick<Nodes, 'others' | 'announce'> | undefined
  readonly variables: EnvironmentVariables
  readonly clock: Clock
  readonly record: VaultRecord
}

export function createKeyKeeper(deps: KeyKeeperDeps, first: VaultOptions): KeyKeeper {
  const { store, keyRing, nodes, variables, clock, record } = deps
  const inTurn = createTurns()
  const stopping = new AbortController()
  let options = first
  let wanted = deps.wanted
  let sealingSinceMs = clock.monotonicMs()
  let waitingFor = ''

  const others = async (): Promise<readonly OtherNode[]> => (await nodes?.others()) ?? []

  const sealingRing = async (next: KeyRing): Promise<KeyRing> => {
    const [first, ...more] = idsOf(next)
    const nodesNow = more.length === 0 ? [] : await others()
    const known = nodesNow.length === 0 ? [] : await knownKeys(store)
    const chosen = chooseSealingKey([first, ...more], { others: nodesNow, known })
    const lacking = chosen === first ? [] : lackingKey(nodesNow, first)
    if (lacking.length > 0 && lacking.join() !== waitingFor) {
      record.keyWaitsForNodes({ keyId: first, nodes: lacking })
    }
    waitingFor = lacking.join()
    return sealingWith(next, chosen)
  }
  /** Workers first: they must open what is sealed from then on. */
  const take = async (next: KeyRing): Promise<'changed' | 'unchanged'> => {
    const sealing = await sealingRing(next)
    if (isSameRing(sealing, keyRing)) {
      wanted = next
      return 'unchanged'
    }
    await giveToFleet(joinKeyRings(sealing, keyRing), deps)
    await noteKeyCheck(store, sealing, clock)
    const isLosing = keysOf(keyRing).some(({ id }) => !sealing.byId.has(id))
    if (sealing.current.id !== keyRing.current.id) sealingSinceMs = clock.monotonicMs()
    keyRing.replace(sealing)
    wanted = next
    if (isLosing) await takeFromFleet(sealing, deps)
    const [seals, ...opens] = idsOf(sealing)
    record.keysInUse({ seals, opens })
    await nodes?.announce()
    return 'changed'
  }
  const reload = async (next: VaultOptions): Promise<'changed' | 'unchanged'> => {
    const ring = await openKeyRing(next, {
      ...{ environment: variables, record, inUse: wanted },
      mayCreate: false,
      signal: stopping.signal,
    })
    await proveKeys(store, ring)
    await refuseToLose(ring, deps)
    const taken = await take(ring)
    options = next
    return taken
  }

  return {
    get wanted() {
      return wanted
    },
    inUse: keyRing,
    get sealingSinceMs() {
      return sealingSinceMs
    },
    get file() {
      return keyFileOf(options)
    },
    reload: (next) => inTurn(() => reload(next ?? options)),
    settle: () =>
      inTurn(async () => {
        await take(wanted)
      }),
    addToFile: (key) =>
      inTurn(async () => {
        const path = requireFile(options)
        await addKeyToFile(path, key)
        record.keyAddedToFile({ path, keyId: key.id })
        await reload(options)
      }),
    removeFromFile: (keyIds) =>
      inTurn(async () => {
        await removeKeysFromFile(requireFile(options), keyIds)
        await reload(options)
      }),
    others,
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      await inTurn(async () => undefined)
    },
  }
}

/** The names of the nodes that do not hold a key. */
export function lackingKey(nodes: readonly OtherNode[], keyId: string): readonly string[] {
  return nodes.filter(({ keyIds }) => !keyIds.includes(keyId)).map(({ name }) => name)
}

async function giveToFleet(
  keyRing: KeyRing,
  { fleet }: Pick<KeyKeeperDeps, 'fleet'>,
): Promise<void> {
  try {
    await fleet.useKeyRing(keyRing)
  } catch (cause) {
    throw workerNotTold(cause)
  }
}

function workerNotTold(cause: unknown): KeysError {
  const sentence = 'An edge worker did not take the new keys; those in use stay in use.'
  const fix = 'Try again; if that does not help, restart Postern.'
  return new KeysError('keys/worker-not-told', sentence, { cause, fix })
}

/** A worker that keeps a key which nobody needs any more does no harm. */
async function takeFromFleet(
  keyRing: KeyRing,
  { fleet, record }: Pick<KeyKeeperDeps, 'fleet' | 'record'>,
): Promise<void> {
  try {
    await fleet.useKeyRing(keyRing)
  } catch (error) {
    record.oldKeysKeptByWorker({ error })
  }
}

/** A key that was retired may have secrets again, if a backup was merged or a node came late. */
async function refuseToLose(
  ring: KeyRing,
  { store, keyRing }: Pick<KeyKeeperDeps, 'store' | 'keyRing'>,
): Promise<void> {
  const lost = keysOf(keyRing).filter(({ id }) => !ring.byId.has(id))
  if (lost.length === 0) return
  const counts = await countSecrets(store.db)
  for (const { id, source } of lost) {
    const count = counts.get(id) ?? 0
    if (count === 0) continue
    throw new VaultError(
      'vault/missing-key',
      `${count} secrets are sealed with key ${id} (${source}), which vault.key does not name any more.`,
      { fix: 'Put it back, after the key that seals, and run: postern key rotate' },
    )
  }
}

function isSameRing(one: KeyRing, other: KeyRing): boolean {
  const texts = [one, other].map((ring) =>
    keysOf(ring)
      .map(({ id, source }) => `${id} ${source}`)
      .join(),
  )
  return texts[0] === texts[1]
}

function requireFile(options: VaultOptions): string {
  const path = keyFileOf(options)
  if (path !== undefined) return path
  throw new KeysError('keys/file-changed', 'vault.key does not name one file any more.', {
    fix: 'Look at vault.key, and try again.',
  })
}
