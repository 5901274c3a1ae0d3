import { z } from 'zod'
import { type Clock, type Hostname, seconds, startPeriodic } from '../kernel/index.ts'
import type { Store } from '../store/index.ts'
import type { AppRecord } from '../telemetry/index.ts'

/** The nodes that share one store, and which certificate each has served to itself. */
export interface Nodes extends AsyncDisposable {
  /** This node's own name among them. */
  readonly id: string
  /** Writes down that the edges of this node serve the certificate. */
  confirm(hostname: Hostname, certificateId: string): Promise<void>
  /** The living nodes that have not written that down. */
  without(hostname: Hostname, certificateId: string): Promise<readonly string[]>
  /** Those that live beside this one, and the master keys they hold. */
  others(): Promise<readonly OtherNode[]>
  /** Says at once that this node lives and which keys it holds, and not only with the next heartbeat. */
  announce(): Promise<void>
}

/** Another node, as it says of itself. */
export interface OtherNode {
  /** What people call it: its machine and process. */
  readonly name: string
  /** Ids of its master keys, the one it seals with first; none if it is too old to say. */
  readonly keyIds: readonly string[]
}

export interface NodesDeps {
  readonly store: Store
  readonly clock: Clock
  readonly record: AppRecord
  /** This process's name among them. */
  readonly nodeId: string
  /** What people call it. */
  readonly name?: string
  /** Its master keys, the one it seals with first; they may change while it lives. */
  readonly keys?: { readonly keyIds: readonly string[] }
}

const keyIdList = z.array(z.string())

/** A node that has not been seen for this long serves nobody. */
const NODE_LIFE = seconds(15)
const HEARTBEAT_EVERY = seconds(5)
/** After this many lives in silence a node's rows are removed. */
const FORGET_AFTER_LIVES = 10

/**
 * Joins the nodes and says "this one lives" every few seconds. On disposal it takes its leave, so
 * that nobody waits for it.
 */
export async function joinNodes(deps: NodesDeps): Promise<Nodes> {
  const { clock, record } = deps
  await sayAlive(deps)
  const beating = startPeriodic(() => sayAlive(deps), {
    clock,
    every: HEARTBEAT_EVERY,
    onError: (error) => record.backgroundFailed({ loop: 'heartbeat', error }),
  })
  return {
    id: deps.nodeId,
    confirm: (hostname, certificateId) => writeConfirmation(deps, hostname, certificateId),
    without: (hostname, certificateId) => nodesWithout(deps, hostname, certificateId),
    others: () => otherNodes(deps),
    announce: () => sayAlive(deps),
    [Symbol.asyncDispose]: async () => {
      await beating[Symbol.asyncDispose]()
      try {
        await takeLeave(deps)
      } catch (error) {
        // The others wait for this node until its life is over; what ends here must end all the same.
        record.backgroundFailed({ loop: 'farewell', error })
      }
    },
  }
}

async function takeLeave({ store, nodeId }: NodesDeps): Promise<void> {
  await store.db.deleteFrom('edge_nodes').where('id', '=', nodeId).execute()
  await store.db.deleteFrom('edge_confirmations').where('node_id', '=', nodeId).execute()
  await store.db.deleteFrom('edge_rehearsals').where('node_id', '=', nodeId).execute()
}

/** Life and silence are measured by the database's clock: those of the nodes may differ. */
async function sayAlive({ store, nodeId, name = nodeId, keys }: NodesDeps): Promise<void> {
  const now = store.nowMs
  const known = { seen_at: now, key_ids: JSON.stringify(keys?.keyIds ?? []) }
  await store.db
    .insertInto('edge_nodes')
    .values({ id: nodeId, name, started_at: now, ...known })
    .onConflict((conflict) => conflict.column('id').doUpdateSet(known))
    .execute()
  await forgetNodes(store)
}

async function forgetNodes({ db, nowMs }: Store): Promise<void> {
  const silence = NODE_LIFE * FORGET_AFTER_LIVES
  const silent = db
    .selectFrom('edge_nodes')
    .select('id')
    .where('seen_at', '<', ({ eb }) => eb(nowMs, '-', silence))
  await db.deleteFrom('edge_confirmations').where('node_id', 'in', silent).execute()
  await db.deleteFrom('edge_rehearsals').where('node_id', 'in', silent).execute()
  await db.deleteFrom('edge_nodes').where('id', 'in', silent).execute()
}

async function otherNodes({ store, nodeId }: NodesDeps): Promise<readonly OtherNode[]> {
  const living = await livingNodes(store)
  return living.filter(({ id }) => id !== nodeId)
}

/** Every node that has been seen lately. */
export async function livingNodes(
  store: Pick<Store, 'db' | 'nowMs'>,
): Promise<readonly (OtherNode & { readonly id: string })[]> {
  const rows = await store.db
    .selectFrom('edge_nodes')
    .select(['id', 'name', 'key_ids'])
    .where('seen_at', '>', ({ eb }) => eb(store.nowMs, '-', NODE_LIFE))
    .orderBy('id')
    .execute()
  return rows.map(({ id, name, key_ids }) => ({
    id,
    name: name === '' ? id : name,
    keyIds: keyIdList.parse(JSON.parse(key_ids)),
  }))
}

async function writeConfirmation(
  { store, nodeId }: NodesDeps,
  hostname: Hostname,
  certificateId: string,
): Promise<void> {
  const confirmation = { certificate_id: certificateId, confirmed_at: store.nowMs }
  await store.db
    .insertInto('edge_confirmations')
    .values({ hostname, node_id: nodeId, ...confirmation })
    .onConflict((conflict) => conflict.columns(['hostname', 'node_id']).doUpdateSet(confirmation))
    .execute()
}

async function nodesWithout(
  { store }: NodesDeps,
  hostname: Hostname,
  certificateId: string,
): Promise<readonly string[]> {
  const rows = await store.db
    .selectFrom('edge_nodes as node')
    .leftJoin('edge_confirmations as confirmation', (join) =>
      join
        .onRef('confirmation.node_id', '=', 'node.id')
        .on('confirmation.hostname', '=', hostname)
        .on('confirmation.certificate_id', '=', certificateId),
    )
    .select('node.id')
    .where('node.seen_at', '>', ({ eb }) => eb(store.nowMs, '-', NODE_LIFE))
    .where('confirmation.node_id', 'is', null)
    .execute()
  return rows.map(({ id }) => id)
}
