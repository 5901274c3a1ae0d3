import type { ClaimedHost, LeaseClaim } from '../hosts/index.ts'
import { seconds, startPeriodic, URGENCIES, type Urgency } from '../kernel/index.ts'
import type { ClockWitness } from './clock-witness.ts'
import { sweepKeys } from './housekeeping.ts'
import type { LifecycleDeps } from './ports.ts'
import type { Runs } from './runs.ts'
import type { AttendSettings } from './work.ts'

/** The loop that finds due hosts, and those whose turn has come, and starts on them. */
export interface Rounds extends AsyncDisposable {
  wake(): void
  /** Like `wake`, if the last round left due hosts behind and there is room for a good many. */
  wakeForMore(): void
  /** The turn of a host of this urgency had come too soon: the others wait a little. */
  holdQueue(urgency: Urgency): void
  readonly isOver: boolean
}

/** How often due hosts are looked for when nobody wakes us: precise enough for every pace. */
const ROUND_EVERY = seconds(1)
/** Hosts under way. Most wait for DNS or for a slot at the CA, and waiting is cheap. */
export const RUNS_MAX = 64
/** Of these, those that wait for DNS: dead name servers take their time, and may be many. */
const LOOKS_MAX = RUNS_MAX / 2
/** The room in a budget was not for them: it will not be in a second either. */
const QUEUE_HELD_FOR = seconds(30)

interface RoundsContext {
  readonly runs: Runs
  readonly claim: LeaseClaim
  readonly witness: ClockWitness
  readonly settings: AttendSettings | undefined
}

export function startRounds(
  deps: Pick<LifecycleDeps, 'hosts' | 'issuer' | 'clock' | 'record'>,
  { runs, claim, witness, settings }: RoundsContext,
): Rounds {
  const { hosts, clock, record } = deps
  const heldUntilMs = new Map<Urgency, number>()
  let isPrepared = false
  let isMoreDue = false
  let isOver = false

  /** Mends what a kill may have left behind, and wakes those whose reason has gone meanwhile. */
  const prepare = async ({ look: { termsAgreed } }: AttendSettings): Promise<void> => {
    await hosts.recoverLeases()
    await sweepKeys({ hosts, record }, EVER)
    if (termsAgreed) await hosts.wakeWaiting('term/not-agreed')
    isPrepared = true
  }
  const start = async (claimed: readonly ClaimedHost[], using: AttendSettings): Promise<void> => {
    for (const one of claimed) {
      if (isOver) await hosts.release(one)
      else runs.start(one, using)
    }
  }
  const round = async (): Promise<void> => {
    if (!settings) return
    if (!isPrepared) await prepare(settings)
    const free = RUNS_MAX - runs.count
    if (free < 1) return
    // A clock that jumps makes everything due at once, and nothing may be ordered by it.
    const isClockWrong = witness.verdict() === 'wrong'
    // Half for those whose turn has come at most: behind them wait more urgent looks.
    const turns = { ...claim, limit: Math.ceil(free / 2), onUnreadable: record.attendFailed }
    const isHeld = (urgency: Urgency): boolean =>
      clock.monotonicMs() < (heldUntilMs.get(urgency) ?? 0)
    if (!isClockWrong) await start(await claimTurns(deps, turns, isHeld), settings)
    const limit = RUNS_MAX - runs.count
    const looksMax = Math.min(limit, LOOKS_MAX - runs.looking)
    if (limit < 1) return
    const which = isClockWrong ? 'waiting-for-dns' : 'all'
    const places = { limit, looksMax, which, onUnreadable: record.attendFailed } as const
    const due = await hosts.claimDue({ ...claim, ...places })
    isMoreDue = isFull(due, places)
    await start(due, settings)
  }

  if (!settings) record.edgeNameMissing()
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
    holdQueue: (urgency) => heldUntilMs.set(urgency, clock.monotonicMs() + QUEUE_HELD_FOR),
    get isOver() {
      return isOver
    },
    [Symbol.asyncDispose]: async () => {
      isOver = true
      await loop[Symbol.asyncDispose]()
    },
  }
}

/** Were all places taken, so that there may be more? */
function isFull(
  due: readonly ClaimedHost[],
  { limit, looksMax }: { readonly limit: number; readonly looksMax: number },
): boolean {
  const looks = due.filter(({ host }) => host.state === 'waiting-for-dns').length
  return due.length === limit || (looks > 0 && looks === looksMax)
}

/** A kill may be long ago. */
const EVER = new Date(0)

/** The first of those that queue, as many as there is room for at the CA. */
async function claimTurns(
  { hosts, issuer }: Pick<LifecycleDeps, 'hosts' | 'issuer'>,
  claim: Parameters<LifecycleDeps['hosts']['claimDue']>[0],
  isHeld: (urgency: Urgency) => boolean,
): Promise<Awaited<ReturnType<typeof hosts.claimQueued>>> {
  const claimed: Awaited<ReturnType<typeof hosts.claimQueued>>[number][] = []
  for (const urgency of URGENCIES) {
    const free = claim.limit - claimed.length
    if (free < 1) break
    if (isHeld(urgency) || !(await hosts.hasQueued(urgency))) continue
    const limit = Math.min(free, await issuer.room(urgency))
    if (limit > 0) claimed.push(...(await hosts.claimQueued({ ...claim, urgency, limit })))
  }
  return claimed
}
