import { hostname } from 'node:os'
import { createAccounts } from '../accounts/index.ts'
import { createIssuer, type Issuer } from '../acme/index.ts'
import { createApiServer } from '../api/index.ts'
import { type CertificateStore, createCertificateStore } from '../certs/index.ts'
import { createChallengeBook } from '../challenges/index.ts'
import type { Config } from '../config/index.ts'
import { createEventLog, createWebhooks } from '../events/index.ts'
import { createHostTable, type HostTable } from '../hosts/index.ts'
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
import { createGuardedFetch, createResolver, fetchChallenge, probeTls } from '../net/index.ts'
import type { Store } from '../store/index.ts'
import { type Metrics, type MetricsFormat, renderMetrics } from '../telemetry/index.ts'
import type { LinkKeys } from '../tracking/index.ts'
import type { EnvironmentVariables, Vault } from '../vault/index.ts'
import { toApiPorts } from './api-ports.ts'
import type { EdgeFleet } from './fleet/edge-fleet.ts'
import { createHealth } from './health.ts'
import { type RunningKeys, startKeys } from './key-rotation/start-keys.ts'
import type { MovingHits } from './moving-hits.ts'
import { joinNodes } from './nodes.ts'
import type { OpenedKeys } from './open-keys.ts'
import type { ServerRecords } from './records.ts'
import { remembered } from './remembered.ts'
import { createRenewalForecast } from './renewal-forecast.ts'
import { createServing } from './serving.ts'
import { tellAccounts } from './tell-accounts.ts'
import { measureFleet, passOnVisits, pruneCertificates, sweepOrders } from './upkeep.ts'

export interface ControlDeps {
  readonly store: Store
  readonly vault: Vault
  readonly keyRing: OpenedKeys['keyRing']
  readonly wanted: OpenedKeys['wanted']
  readonly variables: EnvironmentVariables
  readonly linkKeys: LinkKeys
  readonly hits: MovingHits
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
  const { store, vault, linkKeys, hits, fleet, clock, random, records } = deps
  await using starting = new AsyncDisposableStack()

  const certs = createCertificateStore({ store, vault, clock, random })
  const challenges = createChallengeBook({ store, clock })
  const hosts = createHostTable({ store, clock, random })
  const upkeep = { clock, record: records.app }
  const fleetSize = starting.use(measureFleet({ ...upkeep, certs }, config.acme))
  const issuer = starting.use(
    createIssuer(
      {
        ...{ store, vault, certs, challenges, clock, random },
        ...{ record: records.acme, fleet: fleetSize.size },
      },
      config.acme,
    ),
  )
  starting.use(sweepOrders(issuer, upkeep))
  starting.use(pruneCertificates({ ...upkeep, certs, certsRecord: records.certs }))
  const nodes = store.engine === 'postgres' ? starting.use(await join(deps)) : undefined
  const keys = starting.use(startKeys({ ...deps, nodes }, config.vault))
  const serving = createServing({ store, certs, fleet, clock, nodes })
  starting.use(follow(serving.followNotices, deps))
  const resolver = createResolver(config.net)

  const lifecycle = starting.use(
    createLifecycle(
      {
        ...{ hosts, certs, issuer, challenges, clock, random, resolver },
        ...{ probe: fetchChallenge, probeTls, serving: serving.check },
        publish: (notice) => store.publish(notice),
        record: records.lifecycle,
      },
      {
        ...config.lifecycle,
        edgeName: config.edge.name,
        httpPorts: fleet.bound.http.map(({ port }) => port),
        httpsPorts: fleet.bound.https.map(({ port }) => port),
        termsAgreed: config.acme.agreeTerms,
      },
    ),
  )
  starting.use(passOnVisits(fleet, lifecycle, upkeep))
  const tenants = startTenants({ ...deps, starting, hosts, certs, resolver }, config)

  const health = createHealth({ store, fleet, issuer, hits, clock })
  const forecast = createRenewalForecast({ certs, clock }, config.acme)
  const ports = { hosts, certs, issuer, forecast, lifecycle, ...tenants, linkKeys, hits, store }
  const api = await createApiServer(
    {
      ...{ ...toApiPorts(ports), keys: keys.rotation },
      ...{ health, clock, random, record: records.api, adminKey: deps.adminKey },
      edgeName: config.edge.name,
      metrics: createMetricsPage({ ...deps, hosts, certs, issuer }),
    },
    config.api,
  )
  const { url } = await api.listen()
  starting.defer(() => api.close())
  starting.defer(() => health.stop())

  const running = starting.move()
  return { apiUrl: url, keys, [Symbol.asyncDispose]: () => running.disposeAsync() }
}

interface TenantDeps extends ControlDeps {
  readonly starting: AsyncDisposableStack
  readonly hosts: HostTable
  readonly certs: CertificateStore
  readonly resolver: ReturnType<typeof createResolver>
}

/** Accounts, what they can read of what happened, and how they are told. */
function startTenants(deps: TenantDeps, config: Config) {
  const { store, vault, clock, random, records, starting, hosts, certs, resolver } = deps
  const accounts = createAccounts({ store, clock })
  const events = createEventLog({ store, clock, record: records.events }, config.events)
  const fetch = createGuardedFetch({ resolver }, config.net)
  const record = records.events
  const webhooks = createWebhooks({ store, vault, clock, random, fetch, record })
  starting.use(events.startPruning())
  starting.use(webhooks.start())
  starting.use(tellAccounts({ hosts, certs, events, clock, record: records.app }))
  return { accounts, events, webhooks }
}

interface MeasuredDeps extends ControlDeps {
  readonly hosts: HostTable
  readonly certs: CertificateStore
  readonly issuer: Issuer
}

/** A million rows take a second to count, and more than one machine may ask. */
const COUNTS_KEPT = seconds(10)

/** What is counted when somebody asks, with what all processes have counted on their way. */
function createMetricsPage(
  deps: MeasuredDeps,
): (format: MetricsFormat) => ReturnType<typeof renderMetrics> {
  const { hosts, certs, issuer, fleet, metrics, records, clock } = deps
  const count = async (): Promise<void> => {
    records.lifecycle.hostsByState(await hosts.countByState())
    records.certs.certificatesHeld(await certs.count())
    // It notes budgets and the CAs' health on its way.
    await issuer.describe()
  }
  const countNowAndThen = remembered(count, { clock, keptFor: COUNTS_KEPT })
  return async (format) => {
    try {
      await countNowAndThen()
    } catch (error) {
      // The edge's own numbers are wanted most while the store is away.
      records.app.backgroundFailed({ loop: 'counting for /metrics', error })
    }
    return renderMetrics([await metrics.snapshot(), ...(await fleet.metrics())], format)
  }
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
