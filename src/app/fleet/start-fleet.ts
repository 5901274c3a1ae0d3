import { availableParallelism } from 'node:os'
import type { Config } from '../../config/index.ts'
import {
  type EdgeAddresses,
  type EdgeOptions,
  parseListenAddresses,
  reserveAddresses,
} from '../../edge/index.ts'
import type { Clock, Random } from '../../kernel/index.ts'
import type { Store } from '../../store/index.ts'
import type { Metrics } from '../../telemetry/index.ts'
import type { KeyRing, Vault } from '../../vault/index.ts'
import type { ServerRecords } from '../records.ts'
import { drawTicketKeys } from '../ticket-keys.ts'
import type { EdgeFleet } from './edge-fleet.ts'
import { openEdgeMember } from './edge-member.ts'
import { createLocalFleet } from './local-fleet.ts'
import { abandonWorkers, loadWorkers, startWorkerFleet } from './worker-fleet.ts'
import type { WorkerProcess } from './worker-process.ts'

/** What is settled before store and keys are open: the ports, and workers that load already. */
export interface FleetPlan extends AsyncDisposable {
  readonly listen: EdgeAddresses
  /** None: the edge runs in this process. */
  readonly loaded: readonly WorkerProcess[]
}

/**
 * Finds out whether the ports can be had, and lets the workers load meanwhile. Disposing ends every
 * worker that no fleet has drained. Throws EdgeError.
 */
export async function planFleet(options: EdgeOptions): Promise<FleetPlan> {
  const loaded = loadWorkers(options.workers ?? availableParallelism())
  try {
    const http = parseListenAddresses(options.http)
    // Together, so that the same port given to both is noticed: workers would share it in silence.
    const all = await reserveAddresses([...http, ...parseListenAddresses(options.https)])
    return {
      loaded,
      listen: { http: all.slice(0, http.length), https: all.slice(http.length) },
      [Symbol.asyncDispose]: () => abandonWorkers(loaded),
    }
  } catch (error) {
    await abandonWorkers(loaded)
    throw error
  }
}

export interface StartFleetDeps {
  readonly clock: Clock
  readonly random: Random
  readonly store: Store
  readonly vault: Vault
  readonly keyRing: KeyRing
  readonly metrics: Metrics
  readonly records: ServerRecords
}

/** Starts what was planned: worker processes, or one edge in this process. */
export async function startFleet(
  { loaded, listen }: FleetPlan,
  config: Pick<Config, 'edge' | 'log' | 'store'>,
  { keyRing, ...deps }: StartFleetDeps,
): Promise<EdgeFleet> {
  const { clock, random, records } = deps
  const ticketKeys = drawTicketKeys(random)
  if (loaded.length > 0) {
    const orders = { ...config, keyRing, ticketKeys, listen }
    return startWorkerFleet(loaded, orders, { clock, record: records.app })
  }
  const member = await openEdgeMember(deps, config.edge, { listen, ticketKeys, sharing: 'alone' })
  return createLocalFleet(member, {
    onLost: (error) => records.app.backgroundFailed({ loop: 'resync', error }),
  })
}
