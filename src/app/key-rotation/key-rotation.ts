import {
  type Clock,
  newId,
  type Periodic,
  type Random,
  seconds,
  startPeriodic,
  unreachable,
} from '../../kernel/index.ts'
import type { Store } from '../../store/index.ts'
import type { AppRecord, VaultRecord } from '../../telemetry/index.ts'
import { drawKey, type Vault, VaultError } from '../../vault/index.ts'
import { idsOf } from '../open-keys.ts'
import { countSecrets } from '../secret-counts.ts'
import { type KeyKeeper, lackingKey } from './key-keeper.ts'
import { type KeyStatus, readKeyStatus } from './key-status.ts'
import { moveSecrets } from './move-secrets.ts'
import { nodesSealingOtherwise, releaseKeys, untilSettled } from './release-keys.ts'
import {
  nodesLackKey,
  noKeyCanBeMade,
  planRotation,
  type RotationRefusal,
} from './rotation-plan.ts'
import { createRotationTable, type Rotation } from './rotation-table.ts'
import { createTurns } from './turns.ts'

/** Gives all secrets to another master key, in the background, and tells how far that is. */
export interface KeyRotation extends AsyncDisposable {
  status(): Promise<KeyStatus>
  /** Resolves when it is noted down: from then on it goes on by itself, restarts included. */
  rotate(wishes: { readonly retireOld: boolean }): Promise<RotateOutcome>
}

export type RotateOutcome =
  | { readonly kind: 'begun' }
  /** It was under way already; with `retireOld`, that is done at its end, too. */
  | { readonly kind: 'under-way' }
  | { readonly kind: 'nothing-to-do' }
  | { readonly kind: 'refused'; readonly refusal: RotationRefusal }

export interface KeyRotationDeps {
  readonly store: Store
  readonly vault: Vault
  readonly keeper: KeyKeeper
  readonly clock: Clock
  readonly random: Random
  readonly record: VaultRecord
  readonly faults: Pick<AppRecord, 'backgroundFailed'>
}

/** How long after a node's death another one goes on at the latest, together with the lease. */
const LOOK_EVERY = seconds(5)

export function startKeyRotation(deps: KeyRotationDeps): KeyRotation {
  const { clock, faults } = deps
  const table = createRotationTable(deps.store, newId(deps))
  const rotating: Rotating = { ...deps, table, inTurn: createTurns() }
  const loop: Periodic = startPeriodic((signal) => goOn(rotating, signal), {
    clock,
    every: LOOK_EVERY,
    onError: (error) => faults.backgroundFailed({ loop: 'key-rotation', error }),
  })
  return {
    status: () => readKeyStatus({ ...deps, table }),
    rotate: async ({ retireOld }) => {
      const outcome = await rotating.inTurn(() => rotate(rotating, retireOld))
      loop.wake()
      return outcome
    },
    [Symbol.asyncDispose]: () => loop[Symbol.asyncDispose](),
  }
}

interface Rotating extends KeyRotationDeps {
  readonly table: ReturnType<typeof createRotationTable>
  /** So that nobody takes a rotation for dead whose key is just being written. */
  readonly inTurn: ReturnType<typeof createTurns>
}

/** Decides what is to be done, and notes it down. */
async function rotate(deps: Rotating, retireOld: boolean): Promise<RotateOutcome> {
  const { store, keeper, table } = deps
  // What was put into vault.key since the start counts.
  await keeper.reload()
  await keeper.settle()
  const [counts, underWay] = await Promise.all([countSecrets(store.db), table.underWay()])
  const target = keeper.wanted.current.id
  const plan = planRotation({
    ...{ keyIds: idsOf(keeper.wanted), counts, underWay, retireOld },
    nodesLackingTarget: lackingKey(await keeper.others(), target),
    mayMakeKey: keeper.file !== undefined && store.engine === 'sqlite',
  })
  switch (plan.kind) {
    case 'follow':
      if (retireOld) await table.change(plan.id, { retireOld })
      return { kind: 'under-way' }
    case 'redirect':
      await table.change(plan.id, { toKeyId: target, total: plan.secrets, retireOld })
      deps.record.rotationBegun({ toKeyId: target, secrets: plan.secrets })
      return { kind: 'begun' }
    case 'move':
      return begin(deps, { toKeyId: target, total: plan.secrets, retireOld })
    case 'make-key':
      if (plan.instead !== undefined) await table.drop(plan.instead)
      return makeKey(deps, { total: plan.secrets, retireOld })
    case 'nothing-to-do':
      return { kind: 'nothing-to-do' }
    case 'nodes-lack-key':
      return { kind: 'refused', refusal: nodesLackKey(plan.nodes, target) }
    case 'no-key-can-be-made':
      return {
        kind: 'refused',
        refusal: noKeyCanBeMade(store.engine, keeper.wanted.current.source),
      }
    default:
      return unreachable(plan)
  }
}

async function begin(
  { table, record, clock, random }: Rotating,
  draft: Pick<Rotation, 'toKeyId' | 'total' | 'retireOld'>,
): Promise<RotateOutcome> {
  if (!(await table.begin({ id: newId({ clock, random }), ...draft }))) {
    return { kind: 'under-way' }
  }
  record.rotationBegun({ toKeyId: draft.toKeyId, secrets: draft.total })
  return { kind: 'begun' }
}

/**
 * Noted down before the key is in the file: killed in between, the next start finds a rotation to a
 * key that is nowhere, under which nothing can be sealed, and drops it. Killed after it, the next
 * start has the key and goes on.
 */
async function makeKey(
  deps: Rotating,
  draft: Pick<Rotation, 'total' | 'retireOld'>,
): Promise<RotateOutcome> {
  const { keeper, table } = deps
  const key = drawKey(`file:${keeper.file ?? ''}`)
  const outcome = await begin(deps, { toKeyId: key.id, ...draft })
  if (outcome.kind !== 'begun') return outcome
  try {
    await keeper.addToFile(key)
  } catch (error) {
    // Whatever went wrong with the file. If only a worker did not take the key, it goes on later.
    if (error instanceof VaultError) await table.drop(key.id)
    throw error
  }
  return outcome
}

/**
 * One round in the background: takes the rotation under way, if there is one, to its end. It ends
 * when everybody has sealed with its key for so long that nothing older can be on its way.
 */
async function goOn(deps: Rotating, signal: AbortSignal): Promise<void> {
  const { keeper, table, inTurn } = deps
  const rotation = await inTurn(() => claimReady(deps))
  if (!rotation) return
  const isForAll = async () => (await nodesSealingOtherwise(keeper, rotation.toKeyId)).length === 0

  const first = await moveSecrets(deps, rotation, signal)
  if (first.kind === 'interrupted' || !(await isForAll())) return
  await untilSettled(deps, signal)
  if (!(await isForAll())) return
  const last = await moveSecrets(deps, rotation, signal)
  if (last.kind === 'interrupted') return
  await inTurn(async () => {
    // Asked at the last moment: it may have been wished for meanwhile.
    const retireOld = (await table.underWay())?.retireOld ?? false
    const problem = await releaseKeys(deps, retireOld ? 'remove-from-file' : 'leave-in-file')
    await finish(deps, rotation, { ...last, problem })
  })
}

/** The rotation under way, if its key seals here and no other node is at it. */
async function claimReady({
  store,
  keeper,
  table,
  record,
}: Rotating): Promise<Rotation | undefined> {
  await keeper.settle()
  const underWay = await table.underWay()
  if (!underWay) return undefined
  if (!keeper.inUse.byId.has(underWay.toKeyId)) {
    // Killed between the file and the ring: then it is in the file.
    await keeper.reload()
    if (!keeper.inUse.byId.has(underWay.toKeyId) && store.engine === 'sqlite') {
      await table.drop(underWay.toKeyId)
      record.rotationDropped({ toKeyId: underWay.toKeyId })
      return undefined
    }
  }
  return keeper.inUse.current.id === underWay.toKeyId ? table.claim() : undefined
}

async function finish(
  { table, record }: Rotating,
  { id, toKeyId }: Rotation,
  { unreadable, problem }: Pick<Rotation, 'unreadable' | 'problem'>,
): Promise<void> {
  await table.finish({ id, toKeyId }, { unreadable, problem })
  record.rotationFinished({ toKeyId, unreadable, problem })
}
