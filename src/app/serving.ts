import type { CertificateStore } from '../certs/index.ts'
import {
  type Clock,
  type Hostname,
  type Periodic,
  parseHostname,
  seconds,
  startPeriodic,
} from '../kernel/index.ts'
import type { ServingCheck } from '../lifecycle/index.ts'
import type { Store } from '../store/index.ts'
import type { AppRecord } from '../telemetry/index.ts'
import type { EdgeFleet } from './fleet/edge-fleet.ts'

export interface ServingDeps {
  readonly store: Store
  readonly certs: Pick<CertificateStore, 'find' | 'current'>
  readonly fleet: Pick<EdgeFleet, 'hostChanged' | 'confirm' | 'resync'>
  readonly clock: Clock
  readonly record: AppRecord
  /** This process's name among the nodes that share the store. */
  readonly nodeId: string
}

/** A node that has not been seen for this long serves nobody. */
const NODE_LIFE = seconds(15)
const HEARTBEAT_EVERY = seconds(5)
/** CONTRACT: served by every worker within a second; a node that takes longer is not waited for. */
const OTHERS_MS_MAX = 5_000
const OTHERS_POLL_MS = 50

/**
 * Whether a certificate is really served: by every edge of this node, asked directly, and by every
 * other node that lives, which writes down what its own edges confirmed.
 */
export function createServing(deps: ServingDeps): {
  readonly check: ServingCheck
  /** Obeys what nodes tell one another, until the store is closed. */
  followNotices(signal: AbortSignal): Promise<void>
} {
  const { store, certs, fleet } = deps
  const isAlone = store.engine === 'sqlite'

  /** Asks the edges here, and writes the answer down for the node that waits for it. */
  const confirmHere = async (hostname: Hostname, certificateId: string): Promise<boolean> => {
    const certificate = await certs.find(certificateId)
    if (!certificate) return false
    fleet.hostChanged(hostname)
    const served = await fleet.confirm(hostname, certificate.serial)
    if (served && !isAlone) await writeConfirmation(deps, hostname, certificateId)
    return served
  }

  return {
    check: {
      confirm: async (hostname, certificateId, signal) => {
        if (!(await confirmHere(hostname, certificateId))) {
          return { kind: 'not-served', why: 'An edge worker of this node does not serve it yet' }
        }
        const late = isAlone ? [] : await waitForOthers(deps, hostname, certificateId, signal)
        if (late.length === 0) return { kind: 'served' }
        return { kind: 'not-served', why: `These nodes do not serve it yet: ${late.join(', ')}` }
      },
    },
    followNotices: async (signal) => {
      for await (const notice of store.notices(signal)) {
        if (notice.kind === 'resync') {
          fleet.resync()
          continue
        }
        const hostname = parseHostname(notice.hostname)
        if (!hostname) continue
        fleet.hostChanged(hostname)
        const current = isAlone ? undefined : await certs.current(hostname)
        if (current) await confirmHere(hostname, current.id)
      }
    },
  }
}

async function writeConfirmation(
  { store, clock, nodeId }: ServingDeps,
  hostname: Hostname,
  certificateId: string,
): Promise<void> {
  const confirmation = { certificate_id: certificateId, confirmed_at: clock.now().getTime() }
  await store.db
    .insertInto('edge_confirmations')
    .values({ hostname, node_id: nodeId, ...confirmation })
    .onConflict((conflict) => conflict.columns(['hostname', 'node_id']).doUpdateSet(confirmation))
    .execute()
}

/** The living nodes that have not confirmed by the deadline. */
async function waitForOthers(
  deps: ServingDeps,
  hostname: Hostname,
  certificateId: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const deadline = deps.clock.monotonicMs() + OTHERS_MS_MAX
  for (;;) {
    const late = await nodesWithout(deps, hostname, certificateId)
    if (late.length === 0 || deps.clock.monotonicMs() >= deadline) return late
    await deps.clock.sleep(OTHERS_POLL_MS, signal)
  }
}

async function nodesWithout(
  { store, clock }: ServingDeps,
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
    .where('node.seen_at', '>', clock.now().getTime() - NODE_LIFE)
    .where('confirmation.node_id', 'is', null)
    .execute()
  return rows.map(({ id }) => id)
}

/**
 * Says "this node lives" every few seconds, and forgets nodes that fell silent. On disposal the
 * node takes its leave, so that nobody waits for it.
 */
export async function joinNodes({ store, clock, nodeId, record }: ServingDeps): Promise<AsyncDisposable> {
  const sayAlive = async (): Promise<void> => {
    const now = clock.now().getTime()
    await store.db
      .insertInto('edge_nodes')
      .values({ id: nodeId, started_at: now, seen_at: now })
      .onConflict((conflict) => conflict.column('id').doUpdateSet({ seen_at: now }))
      .execute()
    await forgetNodes(store, now - NODE_LIFE * 10)
  }
  await sayAlive()
  const beating: Periodic = startPeriodic(sayAlive, {
    clock,
    every: HEARTBEAT_EVERY,
    onError: (error) => record.backgroundFailed({ loop: 'heartbeat', error }),
  })
  return {
    [Symbol.asyncDispose]: async () => {
      await beating[Symbol.asyncDispose]()
      await store.db.deleteFrom('edge_nodes').where('id', '=', nodeId).execute()
      await store.db.deleteFrom('edge_confirmations').where('node_id', '=', nodeId).execute()
    },
  }
}

async function forgetNodes(store: Store, silentSince: number): Promise<void> {
  const silent = store.db.selectFrom('edge_nodes').select('id').where('seen_at', '<', silentSince)
  await store.db.deleteFrom('edge_confirmations').where('node_id', 'in', silent).execute()
  await store.db.deleteFrom('edge_nodes').where('seen_at', '<', silentSince).execute()
}
