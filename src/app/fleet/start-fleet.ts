import type { Config } from '../../config/index.ts'
import {
  type EdgeAddresses,
  parseListenAddresses,
  reserveAddresses,
  type TicketKey,
} from '../../edge/index.ts'
import type { Clock, Random } from '../../kernel/index.ts'
import type { Store } from '../../store/index.ts'
import type { Metrics } from '../../telemetry/index.ts'
import type { KeyRing, Vault } from '../../vault/index.ts'
import type { ServerRecords } from '../records.ts'
import type { EdgeFleet } from './edge-fleet.ts'
import { createLocalFleet } from './local-fleet.ts'
import { createShortageBook } from './shortages.ts'
import { abandonWorker, startWorkerFleet } from './worker-fleet.ts'
import { readMachine, workersByDefault } from './worker-number.ts'
import { spawnWorker, type Variables, type WorkerProcess } from './worker-process.ts'

/** What is settled before store and keys are open: the ports, and a worker that loads already. */
export interface FleetPlan extends AsyncDisposable {
  readonly listen: EdgeAddresses
  /** 0: the edge runs in this process. */
  readonly workers: number
  readonly first: WorkerProcess | undefined
}

/**
 * Finds out whether the ports can be had, while the first worker loads (`early`: one that began even
 * before). Disposing ends it if no fleet has drained it. Throws EdgeError.
 */
export async function planFleet(
  { edge: options, store }: Pick<Config, 'edge' | 'store'>,
  {
    early,
    variables,
  }: { readonly early?: WorkerProcess | undefined; readonly variables: Variables },
): Promise<FleetPlan> {
  const workers = options.workers ?? workersByDefault(readMachine())
  const first = workers > 0 ? (early ?? spawnWorker(variables)) : undefined
  first?.tell({ kind: 'prepare', store })
  const abandon = async (): Promise<void> => {
    if (first) await abandonWorker(first)
  }
  try {
    const http = parseListenAddresses(options.http)
    // Together, so that the same port given to both is noticed: workers would share it in silence.
    const all = await reserveAddresses([...http, ...parseListenAddresses(options.https)])
    const listen = { http: all.slice(0, http.length), https: all.slice(http.length) }
    return { workers, first, listen, [Symbol.asyncDispose]: abandon }
  } catch (error) {
    await abandon()
    throw error
  }
}

export interface StartFleetDeps {
  readonly clock: Clock
  readonly random: Random
  readonly variables: Variables
  readonly store: Store
  readonly vault: Vault
  readonly keyRing: KeyRing
  readonly ticketKeys: readonly TicketKey[]
  readonly metrics: Metrics
  readonly records: ServerRecords
  readonly journal: string
}

/** Starts what was planned: worker processes, or one edge in this process. */
export async function startFleet(
  { workers, first, listen }: FleetPlan,
  config: Pick<Config, 'edge' | 'log' | 'store'>,
  { keyRing, ticketKeys, variables, journal, ...deps }: StartFleetDeps,
): Promise<EdgeFleet> {
  const { clock, records } = deps
  if (first) {
    const { log, store, edge } = config
    const orders = { log, store, edge, keyRing, ticketKeys, listen, journal }
    return startWorkerFleet(first, workers, orders, { clock, record: records.app, variables })
  }
  // Loaded here only where it runs here: all of the edge is much to load.
  const { openEdgeMember } = await import('./edge-member.ts')
  const shortages = createShortageBook()
  const member = await openEdgeMember({ ...deps, shortages }, config.edge, {
    listen,
    ticketKeys,
    journal,
    sharing: 'alone',
  })
  return createLocalFleet(member, shortages)
}
