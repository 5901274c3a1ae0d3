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
  reload(options?: VaultOptions): Promise<Change>
  /** Lets the key that is to seal do so, as soon as all nodes can open what it seals. */
  settle(): Promise<Change>
  /** Puts a key first into the file, and takes it into use. */
  addToFile(key: KeyEncryptionKey): Promise<Change>
  /** Takes keys out of the file and out of use. */
  removeFromFile(keyIds: ReadonlySet<string>): Promise<Change>
  /** The other living nodes. */
  others(): Promise<readonly OtherNode[]>
}

/** Whether another ring is in use than before. */
export type Change = 'changed' | 'unchanged'

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

/** Keeps the keys from `options` on. Disposing waits for what is under way. */
export function createKeyKeeper(deps: KeyKeeperDeps, options: VaultOptions): KeyKeeper {
  return new RingKeeper(deps, options)
}

class RingKeeper implements KeyKeeper {
  readonly inUse: KeyRing
  readonly #deps: KeyKeeperDeps
  /** Two rings are never exchanged at once. */
  readonly #inTurn = createTurns()
  readonly #stopping = new AbortController()
  #options: VaultOptions
  #wanted: KeyRing
  #sealingSinceMs: number
  /** Nodes that were told to lack the first key: once is enough. */
  #toldLacking = ''

  constructor(deps: KeyKeeperDeps, options: VaultOptions) {
    this.inUse = deps.keyRing
    this.#deps = deps
    this.#options = options
    this.#wanted = deps.wanted
    this.#sealingSinceMs = deps.clock.monotonicMs()
  }

  get wanted(): KeyRing {
    return this.#wanted
  }

  get sealingSinceMs(): number {
    return this.#sealingSinceMs
  }

  get file(): string | undefined {
    return keyFileOf(this.#options)
  }

  reload(options?: VaultOptions): Promise<Change> {
    return this.#inTurn(() => this.#reload(options ?? this.#options))
  }

  settle(): Promise<Change> {
    return this.#inTurn(() => this.#take(this.#wanted, this.#options))
  }

  addToFile(key: KeyEncryptionKey): Promise<Change> {
    return this.#inTurn(async () => {
      const path = requireFile(this.#options)
      await addKeyToFile(path, key)
      this.#deps.record.keyAddedToFile({ path, keyId: key.id })
      return this.#reload(this.#options)
    })
  }

  removeFromFile(keyIds: ReadonlySet<string>): Promise<Change> {
    return this.#inTurn(async () => {
      await removeKeysFromFile(requireFile(this.#options), keyIds)
      return this.#reload(this.#options)
    })
  }

  async others(): Promise<readonly OtherNode[]> {
    return (await this.#deps.nodes?.others()) ?? []
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort()
    await this.#inTurn(async () => undefined)
  }

  async #reload(options: VaultOptions): Promise<Change> {
    const { store, variables, record } = this.#deps
    const ring = await openKeyRing(options, {
      ...{ environment: variables, record, inUse: this.#wanted },
      mayCreate: false,
      signal: this.#stopping.signal,
    })
    await proveKeys(store, ring)
    await refuseToLose(ring, this.#deps)
    return this.#take(ring, options)
  }

  /** Workers first: they must open what is sealed from then on. */
  async #take(next: KeyRing, options: VaultOptions): Promise<Change> {
    const { store, keyRing, nodes, clock, record } = this.#deps
    const sealing = await this.#sealingRing(next)
    const isChanged = !isSameRing(sealing, keyRing)
    const isLosing = keysOf(keyRing).some(({ id }) => !sealing.byId.has(id))
    if (isChanged) {
      await giveToFleet(joinKeyRings(sealing, keyRing), this.#deps)
      await noteKeyCheck(store, sealing, clock)
    }
    if (sealing.current.id !== keyRing.current.id) this.#sealingSinceMs = clock.monotonicMs()
    keyRing.replace(sealing)
    this.#wanted = next
    this.#options = options
    if (!isChanged) return 'unchanged'
    const [seals, ...opens] = idsOf(sealing)
    record.keysInUse({ seals, opens })
    if (isLosing) await takeFromFleet(sealing, this.#deps)
    await nodes?.announce()
    return 'changed'
  }

  /** The ring, of which the first key seals that all living nodes hold. */
  async #sealingRing(ring: KeyRing): Promise<KeyRing> {
    const [first, ...more] = idsOf(ring)
    const others = more.length === 0 ? [] : await this.others()
    const known = others.length === 0 ? [] : await knownKeys(this.#deps.store)
    const chosen = chooseSealingKey([first, ...more], { others, known })
    const lacking = chosen === first ? [] : lackingKey(others, first)
    if (lacking.length > 0 && lacking.join() !== this.#toldLacking) {
      this.#deps.record.keyWaitsForNodes({ keyId: first, nodes: lacking })
    }
    this.#toldLacking = lacking.join()
    return sealingWith(ring, chosen)
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
