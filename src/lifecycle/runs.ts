import type { ClaimedHost } from '../hosts/index.ts'
import type { Duration, Hostname } from '../kernel/index.ts'
import { attend } from './attend.ts'
import type { LifecycleDeps } from './ports.ts'
import type { AttendContext, AttendSettings } from './work.ts'

/** The hosts under way in this process. Each goes its own way: a slow one holds only itself. */
export interface Runs {
  readonly count: number
  /** Those among them that wait for DNS, and have not been looked at yet. */
  readonly looking: number
  find(hostname: Hostname): Run | undefined
  /** Starts on a leased host; if one is under way on it, whose lease was lost, after that has ended. */
  start(claimed: ClaimedHost, settings: AttendSettings): Run
  /** Keeps the leases of all; stops those whose lease was lost. */
  renewLeases(leaseFor: Duration): Promise<void>
  /** Waits for all to end; when the signal says so, stops them first. */
  settle(signal: AbortSignal): Promise<void>
}

/** One host under way. */
export interface Run {
  readonly claimed: ClaimedHost
  /** It waits for DNS, and has not been looked at yet. */
  readonly isLooking: boolean
  /** Resolves once the look was written down, or the run has ended. Never rejects. */
  readonly looked: Promise<void>
  /** Never rejects. */
  readonly ended: Promise<void>
  /** Gives the host back as it is, as soon as possible. */
  stop(): void
}

/** No run takes longer: everything in it has deadlines of its own, this one is for mistakes. */
const RUN_MS_MAX = 15 * 60_000

/** `onEnd` is called after each run, once it does not count any more. */
export function createRuns(
  deps: LifecycleDeps,
  { onEnd, ...shared }: SharedContext & { readonly onEnd: () => void },
): Runs {
  const { record, hosts } = deps
  const running = new Map<string, Run>()

  const work = async (claimed: ClaimedHost, context: RunContext): Promise<void> => {
    const { hostname } = claimed.host
    await attendInTime(deps, claimed, { ...shared, ...context })
    // Its lease may have run out, and the next run on this host be waiting for our end.
    if (running.get(hostname)?.claimed === claimed) running.delete(hostname)
    record.hostsUnderWay(running.size)
    context.onLooked()
    onEnd()
  }

  return {
    get count() {
      return running.size
    },
    get looking() {
      return [...running.values()].filter(({ isLooking }) => isLooking).length
    },
    find: (hostname) => running.get(hostname),
    start: (claimed, settings) => {
      const { hostname } = claimed.host
      const previous = running.get(hostname)
      previous?.stop()
      const stopping = new AbortController()
      const looking = Promise.withResolvers<void>()
      let isLooking = claimed.host.state === 'waiting-for-dns'
      const onLooked = (): void => {
        isLooking = false
        looking.resolve()
      }
      const context = { settings, stopping: stopping.signal, onLooked }
      // A turn later, so that the run counts before anything of it can end.
      const ended = Promise.resolve(previous?.ended).then(() => work(claimed, context))
      const run: Run = {
        ...{ claimed, looked: looking.promise, ended, stop: () => stopping.abort() },
        get isLooking() {
          return isLooking
        },
      }
      running.set(hostname, run)
      record.hostsUnderWay(running.size)
      return run
    },
    renewLeases: async (leaseFor) => {
      const claimed = [...running.values()].map((run) => run.claimed)
      for (const lost of await hosts.renewLeases(claimed, leaseFor)) {
        const run = running.get(lost.host.hostname)
        // It may have ended meanwhile, and another begun.
        if (run?.claimed === lost) run.stop()
      }
    },
    settle: async (signal) => {
      const stopAll = (): void => {
        for (const run of running.values()) run.stop()
      }
      if (signal.aborted) stopAll()
      signal.addEventListener('abort', stopAll)
      await Promise.all([...running.values()].map(({ ended }) => ended))
      signal.removeEventListener('abort', stopAll)
    },
  }
}

type RunContext = Omit<AttendContext, 'signal' | keyof SharedContext>
type SharedContext = Pick<AttendContext, 'slots' | 'queuePace' | 'witness' | 'onQueuedAgain'>

/** Never rejects. */
async function attendInTime(
  deps: LifecycleDeps,
  claimed: ClaimedHost,
  context: Omit<AttendContext, 'signal'>,
): Promise<void> {
  const { record, clock } = deps
  const { hostname } = claimed.host
  const startedAt = clock.monotonicMs()
  const signal = AbortSignal.any([context.stopping, AbortSignal.timeout(RUN_MS_MAX)])
  try {
    const isActive = await attend(deps, claimed, { ...context, signal })
    if (!isActive) return
    record.hostActive({ hostname, seconds: (clock.monotonicMs() - startedAt) / 1000 })
  } catch (error) {
    // The store failed us: the lease runs out, and then somebody tries again.
    record.attendFailed({ hostname, error })
  }
}
