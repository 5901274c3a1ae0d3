import type { Clock, Random } from '../../kernel/index.ts'
import type { Store } from '../../store/index.ts'
import type { AppRecord, VaultRecord } from '../../telemetry/index.ts'
import type { EnvironmentVariables, KeyRingHolder, Vault, VaultOptions } from '../../vault/index.ts'
import type { EdgeFleet } from '../fleet/edge-fleet.ts'
import type { Nodes } from '../nodes.ts'
import type { OpenedKeys } from '../open-keys.ts'
import { createKeyKeeper, type KeyKeeper } from './key-keeper.ts'
import { type KeyRotation, startKeyRotation } from './key-rotation.ts'

/** The master keys of a running server: read again when told to, and exchanged for others. */
export interface RunningKeys extends AsyncDisposable {
  readonly rotation: Pick<KeyRotation, 'status' | 'rotate'>
  readonly keeper: Pick<KeyKeeper, 'reload'>
}

export interface RunningKeysDeps {
  readonly store: Store
  readonly vault: Vault
  readonly keyRing: KeyRingHolder
  readonly wanted: OpenedKeys['wanted']
  readonly fleet: Pick<EdgeFleet, 'useKeyRing'>
  readonly nodes: Pick<Nodes, 'others' | 'announce'> | undefined
  readonly variables: EnvironmentVariables
  readonly clock: Clock
  readonly random: Random
  readonly records: { readonly vault: VaultRecord; readonly app: AppRecord }
}

/** Starts what looks after the keys. A rotation that was under way when the server ended goes on. */
export function startKeys(
  { records, ...deps }: RunningKeysDeps,
  options: VaultOptions,
): RunningKeys {
  const keeper = createKeyKeeper({ ...deps, record: records.vault }, options)
  const rotation = startKeyRotation({
    ...{ ...deps, keeper },
    record: records.vault,
    faults: records.app,
  })
  return {
    ...{ rotation, keeper },
    [Symbol.asyncDispose]: async () => {
      await rotation[Symbol.asyncDispose]()
      await keeper[Symbol.asyncDispose]()
    },
  }
}
