import { hostname } from 'node:os'
import { createIssuer } from '../acme/index.ts'
import { createApiServer } from '../api/index.ts'
import { createCertificateStore } from '../certs/index.ts'
import { createChallengeBook } from '../challenges/index.ts'
import type { Config } from '../config/index.ts'
import { createHostTable } from '../hosts/index.ts'
import {
  type Clock,
  newId,
  type Periodic,
  type Random,
  type Redacted,
  seconds,
  startPeriodic,
} from '../kernel/index.ts'
import { createLifecycle } from '../lifecycle/index.ts'
import { createResolver, fetchChallenge } from '../net/index.ts'
import type { Store } from '../store/index.ts'
import { type Metrics, renderMetrics } from '../telemetry/index.ts'
import type { LinkKeys } from '../tracking/index.ts'
import type { EnvironmentVariables, Vault } from '../vault/index.ts'
import { toApiPorts } from './api-ports.ts'
import type { EdgeFleet } from './fleet/edge-fleet.ts'
import { createHealth } from './health.ts'
import { type RunningKeys, startKeys } from './key-rotation/start-keys.ts'
import { joinNodes } from './nodes.ts'
import type { OpenedKeys } from './open-keys.ts'
import type { ServerRecords } from './records.ts'
import { createServing } from './serving.ts'

export interface ControlDeps {
  readonly store: Store
  readonly vault: Vault
  readonly keyRing: OpenedKeys['keyRing']
  readonly wanted: OpenedKeys['wanted']
  readonly variables: EnvironmentVariables
  readonly linkKeys: LinkKeys
  readonly fleet: EdgeFleet
  readonly clock: Clock
  readonly random: Random
  readonly metrics: Metrics
  readonly records: ServerRecords
  readonly adminKey: Redacted<string>
}

/** Everything but the edge: the life of hosts, and the API. Disposing stops it in good order. */
export interface Control extends AsyncDisposable {
  readonly apiUrl: string
  readonly keys: Pick<RunningKeys, 'keeper'>
}

/** How long after a lost connection to the store notices are followed again. */
const FOLLOW_AGAIN_AFTER = seconds(1)

/** Starts the part of the server that visitors do not wait for. */
export async function startControl(deps: ControlDeps, config: Config): Promise<Control> {
  const { store, vault, linkKeys, fleet, clock, random, records, metrics } = deps
  await using starting = new AsyncDisposableStack()

  const certs = createCertificateStore({ store, vault, clock, random })
  const challenges = createChallengeBook({ store, clock })
  const hosts = createHostTable({ store, clock, random })
  const issuer = starting.use(
    createIssuer(
      { store, vault, certs, challenges, clock, random, record: records.acme },
      config.acme,
    ),
  )
  const nodes = store.engine === 'postgres' ? starting.use(await join(deps)) : undefined
  const keys = starting.use(startKeys({ ...deps, nodes }, config.vault))
  const serving = createServing({ store, certs, fleet, clock, nodes })
  starting.use(follow(serving.followNotices, deps))

  const lifecycle = starting.use(
    createLifecycle(
      {
        ...{ hosts, certs, issuer, challenges, clock, random },
        resolver: createResolver(config.net),
        probe: fetchChallenge,
        serving: serving.check,
        publish: (notice) => store.publish(notice),
        record: records.lifecycle,
      },
      {
        ...config.lifecycle,
        edgeName: config.edge.name,
        httpPorts: fleet.bound.http.map(({ port }) => port),
        termsAgreed: config.acme.agreeTerms,
      },
    ),
  )

  const health = createHealth({ store, fleet })
  const api = await createApiServer(
    {
      ...toApiPorts({ hosts, certs, issuer, lifecycle, linkKeys, store, clock }),
      keys: keys.rotation,
      ...{ health, clock, random, record: records.api, adminKey: deps.adminKey },
      edgeName: config.edge.name,
      metrics: async () => {
        records.lifecycle.hostsByState(await hosts.countByState())
        records.certs.certificatesHeld(await certs.count())
        return renderMetrics([await metrics.snapshot(), ...(await fleet.metrics())])
      },
    },
    config.api,
  )
  const { url } = await api.listen()
  starting.defer(() => api.close())
  starting.defer(() => health.stop())

  const running = starting.move()
  return { apiUrl: url, keys, [Symbol.asyncDispose]: () => running.disposeAsync() }
}

function join({ store, vault, clock, random, records }: ControlDeps) {
  const nodeId = newId({ clock, random })
  const name = `${hostname()}/${process.pid}`
  return joinNodes({ store, clock, record: records.app, nodeId, name, keys: vault })
}

/** Follows the notices for as long as the server runs; after a fault, everything is read again. */
function follow(
  followNotices: (signal: AbortSignal) => Promise<void>,
  { clock, records }: ControlDeps,
): Periodic {
  return startPeriodic(followNotices, {
    clock,
    every: FOLLOW_AGAIN_AFTER,
    onError: (error) => records.app.backgroundFailed({ loop: 'notices', error }),
  })
}
