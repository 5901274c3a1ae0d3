import type { RevocationReason } from '../acme/index.ts'
import type { Certificate } from '../certs/index.ts'
import {
  type AddedHost,
  DEFAULT_ACCOUNT,
  type Host,
  HostError,
  type LeaseClaim,
} from '../hosts/index.ts'
import {
  type Hostname,
  milliseconds,
  minutes,
  seconds,
  startPeriodic,
  type Urgency,
} from '../kernel/index.ts'
import { addHost } from './add-host.ts'
import { type ClockWitness, createClockWitness } from './clock-witness.ts'
import { createHousekeeping } from './housekeeping.ts'
import { type Leaver, startLeaveWatch } from './leave-watch.ts'
import { type BroughtCertificate, bringCertificate } from './own-certificate.ts'
import type { LifecycleDeps, LifecycleSettings } from './ports.ts'
import { createQueuePace } from './queue-pace.ts'
import { type RevokeOutcome, revoke } from './revoke.ts'
import { RUNS_MAX, startRounds } from './rounds.ts'
import { createRuns, type Run, type Runs } from './runs.ts'
import { shareAnswers } from './share-answers.ts'
import { createSlots } from './slots.ts'
import { noteVisits, type Visited } from './visits.ts'
import { startWindowWatch } from './window-watch.ts'
import type { AttendSettings } from './work.ts'

/** Moves hosts along, in the background, until it is drained. */
export interface Lifecycle extends AsyncDisposable {
  /** Looks for due hosts now instead of within a second. */
  wake(): void
  /**
   * Adds a host for an account and starts on it at once. One that another account had needs a proof
   * in DNS before anything is served; of one that another has, the proof is looked for now. The edge
   * name itself may be a host of the operator's own account, and needs no CNAME. Throws
   * 'hosts/no-edge-name', 'hosts/is-edge-name', 'hosts/other-account'.
   */
  add(hostname: Hostname, domain: string, account?: string): Promise<AddedHost>
  /**
   * Looks at a host now, and resolves once that is written down; goes on to the CA from there,
   * unless that has refused and its time has not come. Throws 'hosts/not-found'.
   */
  checkNow(hostname: Hostname): Promise<Host>
  /**
   * Has a certificate replaced although it would do; not before the CA's time, if that has refused.
   * Throws 'hosts/not-found', 'hosts/own-certificate'.
   */
  renewNow(hostname: Hostname): Promise<Host>
  /**
   * Serves a certificate that its owner brings, and asks no CA for another; resolves once every edge
   * serves it, or that is being tried. Throws 'hosts/not-found', 'hosts/claim-needed',
   * 'certs/bad-upload'.
   */
  bringCertificate(hostname: Hostname, brought: BroughtCertificate): Promise<Certificate>
  /** Has certificates come from a CA from now on. Throws 'hosts/not-found'. */
  handOver(hostname: Hostname): Promise<Host>
  /** Has a certificate revoked, and replaced if it is in use. */
  revoke(
    certificateId: string,
    reason: RevocationReason,
    signal: AbortSignal,
  ): Promise<RevokeOutcome>
  /** Notes who was visited. Who was left alone for want of visitors comes at once. */
  visited(visited: Visited): Promise<void>
  /** Who is ready, and waits for room in a CA's budget. */
  queue(): Promise<QueueCounts>
  /** Ends a host: no https promised, then not served, then its keys destroyed. Idempotent. */
  retire(hostname: Hostname): Promise<Host>
  /** Starts nothing more; lets what is under way finish, until the signal stops that too. */
  drain(signal: AbortSignal): Promise<void>
}

export interface QueueCounts {
  readonly waiting: Readonly<Record<Urgency, number>>
  /** Turns in the last hour, on this node. */
  readonly perHour: number
}

/** A node that died is missed for so long (PostgreSQL; SQLite knows at the next start). */
const LEASE = seconds(30)
const LEASES_RENEWED_EVERY = milliseconds(LEASE / 3)
const HOUSEKEEPING_EVERY = minutes(1)
/** Checks that people ask for start at once, on top of `RUNS_MAX`. */
const CHECKS_MAX = 16
/** What disposal grants to those under way. */
const DRAIN_MS = 10_000

export function createLifecycle(deps: LifecycleDeps, settings: LifecycleSettings): Lifecycle {
  const { hosts, publish } = deps
  const { runs, rounds, queuePace, retire, startOne, drain } = startEngine(deps, settings)
  return {
    wake: () => rounds.wake(),
    add: async (hostname, domain, account = DEFAULT_ACCOUNT) => {
      refuseImpossible({ hostname, account }, settings.edgeName)
      const added = await addHost(deps, { hostname, domain, account })
      if (added.created) {
        runs.find(hostname)?.stop()
        await publish({ kind: 'host-changed', hostname })
        rounds.wake()
      }
      return added
    },
    checkNow: async (hostname) => {
      const asked = await hosts.ask(hostname, { kind: 'check-asked' })
      const run = runs.find(hostname) ?? (await startOne(hostname))
      await run?.looked
      return (await hosts.find(hostname)) ?? asked
    },
    renewNow: async (hostname) => {
      await refuseOwn(deps, hostname)
      const host = await hosts.ask(hostname, { kind: 'renewal-asked' })
      rounds.wake()
      return host
    },
    bringCertificate: async (hostname, brought) => {
      const certificate = await bringCertificate(deps, hostname, brought)
      runs.find(hostname)?.stop()
      await (await startOne(hostname))?.ended
      return certificate
    },
    handOver: async (hostname) => {
      const host = await hosts.changeSource(hostname, { kind: 'handed-over' })
      rounds.wake()
      return host
    },
    revoke: async (certificateId, reason, signal) => {
      const outcome = await revoke(deps, { certificateId, reason }, signal)
      rounds.wake()
      return outcome
    },
    visited: async (visited) => {
      await noteVisits(deps, settings, visited)
      if (visited.lacking.length > 0) rounds.wake()
    },
    queue: async () => ({ waiting: await hosts.countQueued(), perHour: queuePace.perHour }),
    retire,
    drain,
    [Symbol.asyncDispose]: () => drain(AbortSignal.timeout(DRAIN_MS)),
  }
}

/** What runs, from now on until it is drained. */
function startEngine(deps: LifecycleDeps, settings: LifecycleSettings) {
  const { hosts, clock, random } = deps
  const attending = toAttendSettings(settings)
  const claim: LeaseClaim = { holder: random.bytes(8).toString('hex'), leaseFor: LEASE }
  const queuePace = createQueuePace({ clock })
  const witness = createClockWitness(deps)
  const resolver = attending
    ? shareAnswers(deps.resolver, { clock, ...attending.look })
    : deps.resolver
  const runs = createRuns(
    { ...deps, resolver },
    {
      ...{ slots: createSlots(settings.concurrency), queuePace, witness },
      onQueuedAgain: (urgency) => rounds.holdQueue(urgency),
      onEnd: () => rounds.wakeForMore(),
    },
  )
  const rounds = startRounds(deps, { runs, claim, witness, settings: attending })
  /** Those that go on until the end of the drain. */
  const loops = startLoops(deps, {
    ...{ settings, witness, renewLeases: () => runs.renewLeases(LEASE) },
    retire: async (hostname, { leftBefore, why }) => {
      if (await hosts.retireLeaver(hostname, leftBefore, why)) await end(deps, runs, hostname)
    },
  })

  return {
    ...{ runs, rounds, queuePace },
    retire: async (hostname: Hostname): Promise<Host> => {
      const host = await hosts.retire(hostname)
      await end(deps, runs, hostname)
      return host
    },
    startOne: async (hostname: Hostname): Promise<Run | undefined> => {
      // Too busy, or somebody else is at it: it is due, and will be looked at.
      if (!attending || rounds.isOver || runs.count >= RUNS_MAX + CHECKS_MAX) return undefined
      const claimed = await hosts.claim(hostname, claim)
      return claimed ? runs.start(claimed, attending) : runs.find(hostname)
    },
    drain: async (signal: AbortSignal): Promise<void> => {
      await rounds[Symbol.asyncDispose]()
      await runs.settle(signal)
      await loops[Symbol.asyncDispose]()
    },
  }
}

/** Has nothing left of a host that is retired. */
async function end(
  { hosts, publish }: Pick<LifecycleDeps, 'hosts' | 'publish'>,
  runs: Pick<Runs, 'find'>,
  hostname: Hostname,
): Promise<void> {
  await publish({ kind: 'host-changed', hostname })
  await hosts.destroyRetiredKeys(hostname)
  // Whoever works on it can write no more, but may have had a key in hand.
  const run = runs.find(hostname)
  run?.stop()
  await run?.ended
  await hosts.destroyRetiredKeys(hostname)
}

interface LoopContext {
  readonly settings: LifecycleSettings
  readonly renewLeases: () => Promise<void>
  readonly witness: ClockWitness
  readonly retire: (hostname: Hostname, leaver: Leaver) => Promise<unknown>
}

/** What goes on beside the rounds. Without an edge name nothing is done but keeping house. */
function startLoops(
  deps: LifecycleDeps,
  { settings, witness, renewLeases, retire }: LoopContext,
): AsyncDisposable {
  const { clock, record } = deps
  const loops = new AsyncDisposableStack()
  const onError = (loop: string) => (error: unknown) => record.loopFailed({ loop, error })
  loops.use(
    startPeriodic(renewLeases, {
      ...{ clock, every: LEASES_RENEWED_EVERY, onError: onError('leases') },
    }),
  )
  loops.use(
    startPeriodic(createHousekeeping({ ...deps, witness }, settings), {
      ...{ clock, every: HOUSEKEEPING_EVERY, onError: onError('housekeeping') },
    }),
  )
  loops.use(startLeaveWatch({ ...deps, witness, retire }, settings))
  loops.use(startWindowWatch(deps, settings))
  return loops
}

function toAttendSettings(settings: LifecycleSettings): AttendSettings | undefined {
  const { edgeName, httpPorts, httpsPorts, termsAgreed } = settings
  if (edgeName === undefined) return undefined
  const { lookEvery, idleAfter, idlePolicy, soak } = settings
  return {
    look: { edgeName, httpPorts, httpsPorts, termsAgreed },
    rhythm: { lookEvery, idleAfter, idlePolicy },
    rules: { soak, idleAfter, idlePolicy },
  }
}

function refuseImpossible(
  { hostname, account }: { readonly hostname: Hostname; readonly account: string },
  edgeName: Hostname | undefined,
): void {
  if (edgeName === undefined) {
    throw new HostError('hosts/no-edge-name', 'Hosts cannot be added before edge.name is set.', {
      fix: 'Set edge.name to the name that customers point their CNAMEs to.',
    })
  }
  // Whoever has a host may have its key: that of the edge name is the operator's alone.
  if (hostname === edgeName && account !== DEFAULT_ACCOUNT) {
    throw new HostError('hosts/is-edge-name', `${hostname} is the edge name itself.`, {
      fix: `Add the names whose CNAMEs point to ${edgeName}.`,
    })
  }
}

/** An owner's certificate is replaced by its owner. */
async function refuseOwn({ hosts }: LifecycleDeps, hostname: Hostname): Promise<void> {
  const host = await hosts.find(hostname)
  if (host?.certificateFrom !== 'customer') return
  throw new HostError(
    'hosts/own-certificate',
    `The owner of ${hostname} brings its certificates.`,
    {
      fix: 'Bring the next one, or hand over to a certificate authority first.',
    },
  )
}
