import {
  type CertificateCache,
  createCertificateCache,
  createRehearsalContexts,
} from '../../certs/index.ts'
import { createChallengeBook } from '../../challenges/index.ts'
import {
  type BackendTarget,
  createEdge,
  type EdgeAddresses,
  type EdgeBound,
  type EdgeOptions,
  parseBackend,
  type RehearsalOutcome,
  readResources,
  type TicketKey,
  type Visits,
} from '../../edge/index.ts'
import { createHostDirectory, createRecentVisits, type HostDirectory } from '../../hosts/index.ts'
import {
  type Clock,
  type Hostname,
  hours,
  type Periodic,
  type Random,
  startPeriodic,
} from '../../kernel/index.ts'
import type { Store } from '../../store/index.ts'
import type { Metrics, MetricsSnapshot } from '../../telemetry/index.ts'
import {
  createHitJournal,
  createHitRecorder,
  createLinkKeys,
  createLinkRescue,
  createTrackingBackend,
  type HitRecorder,
  type LinkKeys,
} from '../../tracking/index.ts'
import type { Vault } from '../../vault/index.ts'
import type { EdgeRecords } from '../edge-records.ts'
import type { SelfTestTroubles } from './self-test-troubles.ts'
import { startSelfTests } from './self-tests.ts'
import type { ShortageBook } from './shortages.ts'
import { watchStore } from './store-watch.ts'
import { warmContexts } from './warm-contexts.ts'
import { readMachine, workersByDefault } from './worker-number.ts'

/**
 * One edge, in a worker process or in this one. All members of a fleet serve the same: what changes
 * is told to each of them, and details are read from the store.
 */
export interface EdgeMember extends AsyncDisposable {
  readonly bound: EdgeBound
  /** The host was added, got another certificate, or left: forget what was known of it. */
  hostChanged(hostname: Hostname): void
  /** Notices may have been missed: reads everything again, and goes on trying until it can. */
  resync(): void
  useTicketKeys(keys: readonly TicketKey[]): void
  /** Does a handshake for `hostname` here and now yield the certificate with this serial? */
  confirm(hostname: Hostname, serial: string): Promise<boolean>
  /** Could a certificate that is not in use yet be served here? */
  rehearse(hostname: Hostname, certificateId: string): Promise<RehearsalOutcome>
  /** Tries out what the edge relies on in Node, for when it serves; what it finds is told. */
  startSelfTests(tell: (found: SelfTestTroubles) => void): void
  /** Which hosts were visited since the last call. */
  takeVisits(): Visits
  metrics(): Promise<MetricsSnapshot>
}

export interface EdgeMemberDeps {
  readonly store: Store
  readonly vault: Vault
  readonly clock: Clock
  readonly random: Random
  readonly metrics: Metrics
  readonly records: EdgeRecords
  /** Is told what this edge has too little of. */
  readonly shortages: Pick<ShortageBook, 'began' | 'ended'>
}

/** A context takes about 40 KB: room for some 1,600 hosts visited lately in each worker. */
const CONTEXT_BYTES_MAX = 64 * 1024 * 1024
/** Everything is read again that often even if nobody says so: no missed notice lasts for ever. */
const REREAD_EVERY = hours(1)
/** While the store is away, what is known stays known, and visitors are served from memory. */
const REREAD_PAUSE_MS = 1_000
/** CONTRACT: SIGTERM drains within 30 s. The rest is for hits and the store. */
const DRAIN_MS_MAX = 20_000

/** Where an edge listens, and with whom it shares ports and session tickets. */
export interface EdgePlace {
  readonly listen: EdgeAddresses
  readonly sharing: 'with-other-workers' | 'alone'
  readonly ticketKeys: readonly TicketKey[]
  /** The folder where it writes hits down; whoever moves them on reads there. */
  readonly journal: string
}

/** Composes an edge and listens. Disposing drains it; store and vault stay the caller's. */
export async function openEdgeMember(
  deps: EdgeMemberDeps,
  options: EdgeOptions,
  { listen, sharing, ticketKeys, journal }: EdgePlace,
): Promise<EdgeMember> {
  const { store, vault, clock, random, metrics, records, shortages } = deps
  await using opening = new AsyncDisposableStack()
  const watched = watchStore({ hot: store.hot, clock, record: records.store })
  const hot = { ...store.hot, ...watched }
  const directory = createHostDirectory({ hot, random, clock, record: records.hosts })
  const certificates = createCertificateCache(
    { hot, vault, clock, record: records.certs },
    { bytesMax: CONTEXT_BYTES_MAX },
  )
  const rehearsals = createRehearsalContexts({ store, vault })
  const challenges = createChallengeBook({ store, clock })
  const linkKeys = createLinkKeys({ store, vault, clock, random })
  const backend = openBackend(opening, { ...deps, linkKeys, journal }, options)
  const edge = createEdge(
    {
      ...{ certificates, membership: directory, challenges, backend },
      ...{ record: records.edge, clock, random },
      watch: { ...shortages, relieve: () => certificates.release() },
      resources: readResources({ processes: processesOf(options, sharing) }),
    },
    options,
  )
  opening.defer(() => edge.drain(DRAIN_MS_MAX))

  await linkKeys.reload()
  edge.useTicketKeys(ticketKeys)
  const bound = await edge.listen(listen, { reusePort: sharing === 'with-other-workers' })
  // Visitors are served while the names of all hosts are read.
  await directory.load()

  opening.use(
    warmContexts({ visits: createRecentVisits({ store }), certificates, record: records.certs }),
  )
  const rereading = opening.use(
    rereadFromTimeToTime({ ...deps, certificates, directory, linkKeys }),
  )

  const open = opening.move()
  return {
    bound,
    hostChanged: (hostname) => {
      certificates.forget(hostname)
      directory.note(hostname)
    },
    resync: () => rereading.wake(),
    useTicketKeys: (keys) => edge.useTicketKeys(keys),
    confirm: (hostname, serial) => edge.confirm(hostname, serial),
    rehearse: async (hostname, certificateId) => {
      const built = await rehearsals.build(hostname, certificateId)
      return built.kind === 'built' ? edge.rehearse(hostname, built.served) : built
    },
    startSelfTests: (tell) =>
      void open.use(startSelfTests({ edge, clock, record: records.edge }, tell)),
    takeVisits: () => edge.takeVisits(),
    metrics: () => metrics.snapshot(),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  }
}

/** Workers and their supervisor share the machine's memory. */
function processesOf({ workers }: EdgeOptions, sharing: EdgePlace['sharing']): number {
  return sharing === 'alone' ? 1 : (workers ?? workersByDefault(readMachine())) + 1
}

interface BackendDeps extends EdgeMemberDeps {
  readonly linkKeys: LinkKeys
  readonly journal: string
}

/** What answers visitors: this process, or the operator's servers, and this process in their place. */
function openBackend(
  opening: AsyncDisposableStack,
  { linkKeys: keys, journal: directory, clock, random, records, shortages }: BackendDeps,
  options: Pick<EdgeOptions, 'backend' | 'onBackendDown'>,
): BackendTarget {
  const outside = { clock, random, record: alsoTelling(records.tracking, shortages) }
  const openHits = (kind: 'hits' | 'owed'): HitRecorder => {
    const journal = opening.use(createHitJournal(outside, { directory, kind }))
    return opening.use(createHitRecorder({ ...outside, journal }))
  }
  const targets = parseBackend(options.backend)
  if (targets === 'embedded') {
    const backend = createTrackingBackend({ ...outside, keys, hits: openHits('hits') })
    return { kind: 'embedded', backend }
  }
  if (options.onBackendDown === 'page') return { kind: 'remote', targets }
  const rescue = createLinkRescue({ keys, hits: openHits('owed'), clock })
  return { kind: 'remote', targets, rescue }
}

interface Known {
  readonly certificates: Pick<CertificateCache, 'forgetAll'>
  readonly directory: Pick<HostDirectory, 'load'>
  readonly linkKeys: Pick<LinkKeys, 'reload'>
}

/** All was read just now: the first round has nothing to do. */
function rereadFromTimeToTime(deps: Known & EdgeMemberDeps): Periodic {
  let isFirst = true
  return startPeriodic(
    async (signal) => {
      if (!isFirst) await reread(deps, signal)
      isFirst = false
    },
    {
      clock: deps.clock,
      every: REREAD_EVERY,
      onError: (error) => deps.records.edge.failed('reading everything again', error),
    },
  )
}

/**
 * Reads hosts, link keys and, when they are next asked for, certificates again: not before the store
 * has answered, so that nothing of what is known is doubted while it is away.
 */
async function reread(
  { certificates, directory, linkKeys, clock, records }: Known & EdgeMemberDeps,
  signal: AbortSignal,
): Promise<void> {
  for (let failures = 0; ; failures += 1) {
    try {
      await Promise.all([directory.load(), linkKeys.reload()])
      certificates.forgetAll()
      return
    } catch (error) {
      // Once: it is tried again until it can be done, and then the directory says that it is loaded.
      if (failures === 0) records.edge.failed('reading everything again', error)
      await clock.sleep(REREAD_PAUSE_MS, signal)
    }
  }
}

/** Whoever asks whether this node is well hears of hits that are not durable. */
function alsoTelling(
  record: EdgeRecords['tracking'],
  shortages: EdgeMemberDeps['shortages'],
): EdgeRecords['tracking'] {
  return {
    ...record,
    hitsNotJournaled: (facts) => {
      shortages.began('journal')
      record.hitsNotJournaled(facts)
    },
    hitsJournaledAgain: (facts) => {
      shortages.ended('journal')
      record.hitsJournaledAgain(facts)
    },
  }
}
