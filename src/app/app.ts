import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { Config } from '../config/index.ts'
import { type EdgeBound, formatListenAddress } from '../edge/index.ts'
import type { Clock, Random, Redacted } from '../kernel/index.ts'
import { dataDirectory, openStore } from '../store/index.ts'
import { type AppRecord, createMetrics, openLog } from '../telemetry/index.ts'
import { createLinkKeys } from '../tracking/index.ts'
import type { EnvironmentVariables } from '../vault/index.ts'
import { type FleetPlan, planFleet, type StartFleetDeps, startFleet } from './fleet/start-fleet.ts'
import type { Variables, WorkerProcess } from './fleet/worker-process.ts'
import { announceRunning, openAdminKey } from './local-files.ts'
import { startMovingHits } from './moving-hits.ts'
import { openKeys } from './open-keys.ts'
import { createServerRecords } from './records.ts'
import { openTicketKeys } from './ticket-keys.ts'

/** What the program takes from outside besides its configuration. */
export interface Environment {
  readonly clock: Clock
  readonly random: Random
  readonly variables: EnvironmentVariables & Variables
  /** A worker that began to load before the configuration was read. */
  readonly early?: WorkerProcess | undefined
}

/** The server, running. Disposing it drains the edge and settles everything under way. */
export interface RunningApp extends AsyncDisposable {
  /** `host:port`, several with commas; the API as a URL. */
  readonly listening: { readonly http: string; readonly https: string; readonly api: string }
  /** Of the first https address, for clients on this machine. */
  readonly httpsPort: number
  readonly adminKey: Redacted<string>
  readonly record: AppRecord
  /**
   * Takes over what can be changed while running, the master keys among it, and names what waits
   * for a restart. Throws when the keys are refused: those in use stay in use.
   */
  reload(next: Config): Promise<void>
}

/** Builds and starts the server. If a line fails, the lines above it are undone, in reverse. */
export async function startApp(
  config: Config,
  { clock, random, variables, early }: Environment,
): Promise<RunningApp> {
  const startedMs = clock.monotonicMs()
  await using running = new AsyncDisposableStack()
  const stopping = new AbortController()
  running.defer(() => stopping.abort())

  const log = openLog(config.log, { process: 'server', pid: process.pid })
  const metrics = createMetrics()
  const records = createServerRecords({ log, metrics })
  const outside = { clock, random, records }

  const plan: FleetPlan = running.use(await planFleet(config, { early, variables }))
  const { keyRing, wanted, vault, noteKeys } = await openKeys(
    config,
    { clock, variables, record: records.vault },
    stopping.signal,
  )
  const store = running.use(
    await openStore(config.store, { clock, record: records.store, role: 'server' }),
  )
  await noteKeys(store)
  const linkKeys = createLinkKeys({ store, vault, clock, random })
  await linkKeys.ensure()
  const tickets = await openTicketKeys({ ...outside, store, vault, record: records.app })
  const ticketKeys = tickets.current

  const directory = dataDirectory(config.store)
  const adminKey = await openAdminKey(directory, random)

  const { hits, fleet, startControl } = await startEdges(running, plan, {
    ...{ ...outside, config, variables, store, vault, keyRing, ticketKeys, metrics },
  })
  running.use(tickets.keepFresh((keys) => fleet.useTicketKeys(keys)))
  const control = running.use(
    await startControl(
      {
        ...{ ...outside, variables, store, vault, keyRing, wanted },
        ...{ linkKeys, hits, fleet, metrics, adminKey },
      },
      config,
    ),
  )
  running.use(await announceRunning(directory, { pid: process.pid, url: control.apiUrl }))

  // The edge drains while the rest winds down: together they have the time that one may take.
  // The fleet's own place in this stack waits for the same end, and hears of what went wrong there.
  running.defer(() => {
    fleet[Symbol.asyncDispose]().then(undefined, () => undefined)
  })

  const listening = listeningAt(fleet.bound, control.apiUrl)
  const ms = Math.round(clock.monotonicMs() - startedMs)
  records.app.started({ ...listening, workers: fleet.count().wanted, ms })

  const app = running.move()
  return {
    ...{ listening, adminKey, record: records.app },
    httpsPort: fleet.bound.https[0]?.port ?? 0,
    reload: async (next) => {
      log.setLevel(next.log.level)
      fleet.setLogLevel(next.log.level)
      const keys = await control.keys.keeper.reload(next.vault)
      records.app.reloaded({ keys, needRestart: changedParts(config, next) })
    },
    [Symbol.asyncDispose]: () => app.disposeAsync(),
  }
}

/** The edges of this node, and what moves on the hits that they write down. */
async function startEdges(
  running: AsyncDisposableStack,
  plan: FleetPlan,
  { config, ...deps }: Omit<StartFleetDeps, 'journal'> & { readonly config: Config },
) {
  const journal = join(dataDirectory(config.store), 'journal')
  // Before the edges in this stack, so that it ends after them and moves the last hits, too.
  const hits = running.use(startMovingHits({ ...deps, journal }, config.edge))
  const [fleet, { startControl }] = await Promise.all([
    startFleet(plan, config, { ...deps, journal }),
    // The CA's client and the API take half a second to load: time in which the workers start.
    import('./control.ts'),
  ])
  return { hits, fleet: running.use(fleet), startControl }
}

function listeningAt({ http, https }: EdgeBound, api: string): RunningApp['listening'] {
  const write = (addresses: EdgeBound['http']) => addresses.map(formatListenAddress).join()
  return { http: write(http), https: write(https), api }
}

/** Parts whose options differ and are only read at the start. */
function changedParts(before: Config, after: Config): readonly string[] {
  const { log: _log, vault: _vault, ...parts } = after
  return Object.entries(parts)
    .filter(([part, options]) => !isDeepStrictEqual(options, Reflect.get(before, part)))
    .map(([part]) => part)
}
