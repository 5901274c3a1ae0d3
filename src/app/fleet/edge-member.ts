import { createCertificateCache } from '../../certs/index.ts'
import { createChallengeBook } from '../../challenges/index.ts'
import { createEdge, type EdgeOptions } from '../../edge/index.ts'
import { createHostDirectory } from '../../hosts/index.ts'
import type { Clock, Hostname, Random } from '../../kernel/index.ts'
import type { Store } from '../../store/index.ts'
import {
  createCertsRecord,
  createEdgeRecord,
  createTrackingRecord,
  type Log,
  type Metrics,
  type MetricsSnapshot,
} from '../../telemetry/index.ts'
import { createHitRecorder, createLinkKeys, createTrackingBackend } from '../../tracking/index.ts'
import type { Vault } from '../../vault/index.ts'
import type { BoundPorts, ListenPlan } from './edge-protocol.ts'

/**
 * One edge, in a worker process or in this one. All members of a fleet serve the same: what changes
 * is told to each of them, and details are read from the store.
 */
export interface EdgeMember extends AsyncDisposable {
  readonly bound: BoundPorts
  /** The host was added, got another certificate, or left: forget what was known of it. */
  hostChanged(hostname: Hostname): void
  /** Notices may have been missed: forget everything, read the hosts again. */
  resync(): Promise<void>
  useTicketKeys(keys: Uint8Array): void
  /** Does a handshake for `hostname` here and now yield the certificate with this serial? */
  confirm(hostname: Hostname, serial: string): Promise<boolean>
  metrics(): Promise<MetricsSnapshot>
}

export interface EdgeMemberDeps {
  readonly store: Store
  readonly vault: Vault
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: Metrics
}

/** A context takes about 40 KB: room for some 1,600 hosts visited lately in each worker. */
const CONTEXT_BYTES_MAX = 64 * 1024 * 1024
/** CONTRACT: SIGTERM drains within 30 s. The rest is for closing the store. */
const DRAIN_MS_MAX = 25_000

/** Composes an edge and listens. Disposing drains it; store and vault stay the caller's. */
export async function openEdgeMember(
  { store, vault, clock, random, log, metrics }: EdgeMemberDeps,
  edgeOptions: EdgeOptions,
  listen: ListenPlan & { readonly reusePort: boolean; readonly ticketKeys: Uint8Array },
): Promise<EdgeMember> {
  await using opening = new AsyncDisposableStack()

  const directory = createHostDirectory({ hot: store.hot, clock, random })
  const certificates = createCertificateCache(
    { hot: store.hot, vault, clock, record: createCertsRecord({ log, metrics }) },
    { bytesMax: CONTEXT_BYTES_MAX },
  )
  const challenges = createChallengeBook({ store, clock })
  const trackingRecord = createTrackingRecord({ log, metrics })
  const linkKeys = createLinkKeys({ store, vault, clock, random })
  const hits = opening.use(createHitRecorder({ hot: store.hot, clock, record: trackingRecord }))
  const backend = createTrackingBackend({
    keys: linkKeys,
    hits,
    clock,
    random,
    record: trackingRecord,
  })
  const edge = createEdge(
    {
      certificates,
      membership: directory,
      challenges,
      backend,
      record: createEdgeRecord({ log, metrics }),
      clock,
      random,
    },
    edgeOptions,
  )
  opening.defer(() => edge.drain(DRAIN_MS_MAX))

  await Promise.all([directory.load(), linkKeys.reload()])
  edge.setTicketKeys(Buffer.from(listen.ticketKeys))
  const bound = await edge.listen(listen, { reusePort: listen.reusePort })

  const open = opening.move()
  return {
    bound,
    hostChanged: (hostname) => {
      certificates.forget(hostname)
      directory.forget(hostname)
      directory.note(hostname)
    },
    resync: async () => {
      certificates.forgetAll()
      await Promise.all([directory.load(), linkKeys.reload()])
    },
    useTicketKeys: (keys) => edge.setTicketKeys(Buffer.from(keys)),
    confirm: (hostname, serial) => edge.confirm(hostname, serial),
    metrics: () => metrics.snapshot(),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  }
}
