import type { HistoryDraft, LeavingHost } from '../hosts/index.ts'
import {
  after,
  bounded,
  days,
  hours,
  milliseconds,
  minutes,
  startPeriodic,
} from '../kernel/index.ts'
import type { ClockWitness } from './clock-witness.ts'
import type { LifecycleOptions } from './options.ts'
import type { LifecycleDeps } from './ports.ts'

export interface LeaveWatchDeps
  extends Pick<LifecycleDeps, 'hosts' | 'issuer' | 'publish' | 'clock' | 'record'> {
  readonly witness: ClockWitness
  /** Ends the life of a host, unless it has come back. */
  readonly retire: (hostname: LeavingHost['hostname'], leaver: Leaver) => Promise<unknown>
}

/** Which hosts are retired, and what is said of it. */
export interface Leaver {
  readonly leftBefore: Date
  readonly why: string
}

const DEACTIVATED_EVERY = minutes(1)
/** Nobody waits for these, and finding them reads the certificates of all who have left. */
const ENDED_EVERY = minutes(10)
/** A CA that cannot be asked now is asked again, for as long as it takes. */
const AGAIN_AFTER = hours(1)
const HOSTS_AT_ONCE = 4
const HOSTS_PER_ROUND = 100

/** What follows when a customer leaves, in the background and until it is done. */
export function startLeaveWatch(
  deps: LeaveWatchDeps,
  options: Pick<LifecycleOptions, 'forgetAfter'>,
): AsyncDisposable {
  const { clock, record } = deps
  const onError = (error: unknown): void => record.loopFailed({ loop: 'leavers', error })
  const end = async (): Promise<void> => {
    await endLeavers(deps)
    await forget(deps, options)
  }
  const loops = new AsyncDisposableStack()
  loops.use(
    startPeriodic((signal) => deactivate(deps, signal), {
      ...{ clock, every: DEACTIVATED_EVERY, onError },
    }),
  )
  loops.use(startPeriodic(end, { clock, every: ENDED_EVERY, onError }))
  return loops
}

/** A CA that still knows our account may use this name would issue for it without another look. */
async function deactivate(
  { hosts, issuer, record }: LeaveWatchDeps,
  signal: AbortSignal,
): Promise<void> {
  const leaving = await hosts.claimLeaving({
    ...{ limit: HOSTS_PER_ROUND, again: AGAIN_AFTER },
    onUnreadable: record.attendFailed,
  })
  await bounded(leaving, HOSTS_AT_ONCE, async (one) => {
    const { hostname } = one
    if (signal.aborted) return
    try {
      await issuer.leave(hostname, signal)
    } catch (error) {
      if (error !== signal.reason) record.leaveFailed({ hostname, error })
      return
    }
    await hosts.leaveDone(one)
    record.hostLeft({ hostname })
  })
}

/** Links of hosts that have left are answered until their last certificate is over. */
async function endLeavers({ hosts, publish, record, witness }: LeaveWatchDeps): Promise<void> {
  const ended = await hosts.endedLeavers(HOSTS_PER_ROUND, record.attendFailed)
  if (ended.length === 0 || (await witness.ask()) !== 'right') return
  for (const hostname of ended) {
    await hosts.endLeaver(hostname, ENDED)
    record.stepTaken({ hostname, ...ENDED })
    await publish({ kind: 'host-changed', hostname })
  }
}

const ENDED: HistoryDraft = {
  step: 'leave',
  outcome: 'done',
  sentence:
    'Its last certificate is over and its keys are destroyed. It goes on if DNS points here again.',
}

async function forget(
  { hosts, clock, record, retire, witness }: LeaveWatchDeps,
  { forgetAfter }: Pick<LifecycleOptions, 'forgetAfter'>,
): Promise<void> {
  const leftBefore = after(clock.now(), milliseconds(-forgetAfter))
  const why = `Retired: DNS has not pointed here for ${Math.round(forgetAfter / days(1))} days.`
  const gone = await hosts.longGone(leftBefore, HOSTS_PER_ROUND, record.attendFailed)
  if (gone.length === 0 || (await witness.ask()) !== 'right') return
  for (const hostname of gone) await retire(hostname, { leftBefore, why })
}
