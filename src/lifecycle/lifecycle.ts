import { type AddedHost, type Host, HostError, type LeaseClaim } from '../hosts/index.ts'
import { type Hostname, milliseconds, minutes, seconds, startPeriodic } from '../kernel/index.ts'
import { keepHouse, sweepKeys } from './housekeeping.ts'
import type { LookSettings } from './look.ts'
import type { LifecycleDeps, LifecycleSettings } from './ports.ts'
import { createRuns, type Run, type Runs } from './runs.ts'
import { shareAnswers } from './share-answers.ts'
import { createSlots } from './slots.ts'

/** Moves hosts along, in the background, until it is drained. */
export interface Lifecycle extends AsyncDisposable {
  /** Looks for due hosts now instead of within a second. */
  wake(): void
  /** Adds a host and starts on it at once. Throws 'hosts/no-edge-name', 'hosts/is-edge-name'. */
  add(hostname: Hostname, domain: string): Promise<AddedHost>
  /**
   * Looks at a host now, and resolves once that is written down; goes on to the CA from there,
   * unless that has refused and its time has not come. Throws 'hosts/not-found'.
   */
  checkNow(hostname: Hostname): Promise<Host>
  /**
   * Has a certificate replaced although it would do; not before the CA's time, if that has refused.
   * Throws 'hosts/not-found'.
   */
  renewNow(hostname: Hostname): Promise<Host>
  /** Ends a host: no https promised, then not served, then its keys destroyed. Idempotent. */
  retire(hostname: Hostname): Promise<Host>
  /** Starts nothing more; lets what is under way finish, until the signal stops that too. */
  drain(signal: AbortSignal): Promise<void>
}

/** How often due hosts are looked for when nobody wakes us: precise enough for every pace. */
const ROUND_EVERY = seconds(1)
/** A node that died is missed for so long (PostgreSQL; SQLite knows at the next start). */
const LEASE = seconds(30)
const LEASES_RENEWED_EVERY = milliseconds(LEASE / 3)
const HOUSEKEEPING_EVERY = minutes(1)
/** Hosts under way. Most wait for DNS or for a slot at the CA, and waiting is cheap. */
const RUNS_MAX = 64
/** Checks that people ask for start at once, on top of `RUNS_MAX`. */
const CHECKS_MAX = 16
/** What disposal grants to those under way. */
const DRAIN_MS = 10_000

export function createLifecycle(deps: LifecycleDeps, settings: LifecycleSettings): Lifecycle {
  const { hosts, publish, clock, record } = deps
  const look = toLookSettings(settings)
  const claim: LeaseClaim = { holder: deps.random.bytes(8).toString('hex'), leaseFor: LEASE }
  const slots = createSlots(settings.concurrency)
  const resolver = look ? shareAnswers(deps.resolver, { clock, ...look }) : deps.resolver
  const runs = createRuns({ ...deps, resolver }, { slots, onEnd: () => rounds.wakeForMore() })
  const rounds = startRounds(deps, { runs, claim, look })
  const onError = (loop: string) => (error: unknown) => record.loopFailed({ loop, error })
  const leases = startPeriodic(() => runs.renewLeases(LEASE), {
    ...{ clock, every: LEASES_RENEWED_EVERY },
    onError: onError('leases'),
  })
  const housekeeping = startPeriodic(() => keepHouse(deps), {
    ...{ clock, every: HOUSEKEEPING_EVERY },
    onError: onError('housekeeping'),
  })

  const drain = async (signal: AbortSignal): Promise<void> => {
    await rounds[Symbol.asyncDispose]()
    await runs.settle(signal)
    await leases[Symbol.asyncDispose]()
    await housekeeping[Symbol.asyncDispose]()
  }

  return {
    wake: () => rounds.wake(),
    add: async (hostname, domain) => {
      refuseImpossible(hostname, settings.edgeName)
      const added = await hosts.add(hostname, domain)
      if (added.created) {
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
      const host = await hosts.ask(hostname, { kind: 'renewal-asked' })
      rounds.wake()
      return host
    },
    retire: async (hostname) => {
      const host = await hosts.retire(hostname)
      await publish({ kind: 'host-changed', hostname })
      await hosts.destroyRetiredKeys(hostname)
      // Whoever works on it can write no more, but may have had a key in hand.
      const run = runs.find(hostname)
      run?.stop()
      await run?.ended
      await hosts.destroyRetiredKeys(hostname)
      return host
    },
    drain,
    [Symbol.asyncDispose]: () => drain(AbortSignal.timeout(DRAIN_MS)),
  }

  async function startOne(hostname: Hostname): Promise<Run | undefined> {
    // Too busy, or somebody else is at it: it is due, and will be looked at.
    if (!look || rounds.isOver || runs.count >= RUNS_MAX + CHECKS_MAX) return undefined
    const claimed = await hosts.claim(hostname, claim)
    return claimed ? runs.start(claimed, look) : runs.find(hostname)
  }
}

/** The loop that finds due hosts and starts on them. */
interface Rounds extends AsyncDisposable {
  wake(): void
  /** Like `wake`, if the last round left due hosts behind and there is room for a good many. */
  wakeForMore(): void
  readonly isOver: boolean
}

function startRounds(
  deps: Pick<LifecycleDeps, 'hosts' | 'clock' | 'record'>,
  {
    runs,
    claim,
    look,
  }: {
    readonly runs: Runs
    readonly claim: LeaseClaim
    readonly look: LookSettings | undefined
  },
): Rounds {
  const { hosts, clock, record } = deps
  let isPrepared = false
  let isMoreDue = false
  let isOver = false

  /** Mends what a kill may have left behind, and wakes those whose reason has gone meanwhile. */
  const prepare = async ({ termsAgreed }: LookSettings): Promise<void> => {
    await hosts.recoverLeases()
    await sweepKeys({ hosts, record }, EVER)
    if (termsAgreed) await hosts.wakeWaiting('term/not-agreed')
    isPrepared = true
  }
  const round = async (): Promise<void> => {
    if (!look) return
    if (!isPrepared) await prepare(look)
    const limit = RUNS_MAX - runs.count
    if (limit < 1) return
    const claimed = await hosts.claimDue({ ...claim, limit, onUnreadable: record.attendFailed })
    isMoreDue = claimed.length === limit
    for (const one of claimed) {
      if (isOver) await hosts.release(one)
      else runs.start(one, look)
    }
  }

  if (!look) record.edgeNameMissing()
  const loop = startPeriodic(round, {
    ...{ clock, every: ROUND_EVERY },
    onError: (error) => record.loopFailed({ loop: 'rounds', error }),
  })
  return {
    wake: () => loop.wake(),
    wakeForMore: () => {
      // Half full: so each claim is one write for many hosts.
      if (isMoreDue && runs.count <= RUNS_MAX / 2) loop.wake()
    },
    get isOver() {
      return isOver
    },
    [Symbol.asyncDispose]: async () => {
      isOver = true
      await loop[Symbol.asyncDispose]()
    },
  }
}

/** A kill may be long ago. */
const EVER = new Date(0)

function toLookSettings({
  edgeName,
  httpPorts,
  termsAgreed,
}: LifecycleSettings): LookSettings | undefined {
  return edgeName && { edgeName, httpPorts, termsAgreed }
}

function refuseImpossible(hostname: Hostname, edgeName: Hostname | undefined): void {
  if (edgeName === undefined) {
    throw new HostError('hosts/no-edge-name', 'Hosts cannot be added before edge.name is set.', {
      fix: 'Set edge.name to the name that customers point their CNAMEs to.',
    })
  }
  if (hostname === edgeName) {
    throw new HostError('hosts/is-edge-name', `${hostname} is the edge name itself.`, {
      fix: `Add the names whose CNAMEs point to ${edgeName}.`,
    })
  }
}
