import { after, type Duration, days, hours, milliseconds } from '../kernel/index.ts'
import type { ClockWitness, ClockWord } from './clock-witness.ts'
import { createEndWatch } from './end-watch.ts'
import { takeOverDue, warnOwners } from './own-certificate.ts'
import type { LifecycleDeps, Rhythm } from './ports.ts'

export type HousekeepingDeps = Pick<
  LifecycleDeps,
  'hosts' | 'certs' | 'challenges' | 'publish' | 'clock' | 'record'
> & { readonly witness: ClockWitness }

/**
 * What has to happen on time whatever becomes of single hosts: https is no longer promised for a
 * certificate that is about to end, who nears the end comes first, owners are told, old tokens,
 * entries and retired hosts' keys go, and hosts are counted. What cannot be undone waits until CAs
 * agree with our clock; they are asked only when there is something of that kind to do.
 */
export function createHousekeeping(deps: HousekeepingDeps, rhythm: Rhythm): () => Promise<void> {
  const { hosts, challenges, clock, record, witness } = deps
  const mayGoOn = async (): Promise<boolean> => (await witness.ask()) === 'right'
  const steps: Readonly<Record<string, () => Promise<void>>> = {
    clock: createClockStep(deps),
    'far future': () => clampFuture(deps, rhythm, mayGoOn),
    ...createEndWatch(deps, rhythm, mayGoOn),
    'take-overs': () => takeOverDue(deps, mayGoOn),
    owners: async () => {
      if (witness.believes()) await warnOwners(deps)
    },
    keys: () => sweepKeys(deps, after(clock.now(), milliseconds(-LATE_WRITES_LAST))),
    challenges: async () => void (await challenges.sweep()),
    histories: createPruning(deps, mayGoOn),
    counts: async () => {
      record.hostsByState(await hosts.countByState())
      record.hostsQueued(await hosts.countQueued())
    },
  }
  return async () => {
    for (const [step, work] of Object.entries(steps)) {
      try {
        await work()
      } catch (error) {
        // The others must not wait until somebody has mended this one.
        record.loopFailed({ loop: `housekeeping: ${step}`, error })
      }
    }
  }
}

/** Much longer than a run: a node that did not hear of the retirement has saved its key by then. */
const LATE_WRITES_LAST = hours(1)
/** Who was asked for a proof and has not shown it by then starts anew. */
const CLAIMS_LAST = days(30)

/** Wakes those that a wrong clock has put off, as soon as it is known to be right (again). */
function createClockStep({
  hosts,
  witness,
}: Pick<HousekeepingDeps, 'hosts' | 'witness'>): () => Promise<void> {
  let last: ClockWord | undefined
  return async () => {
    // A machine that slept has a clock that is right, and does not know it.
    const word = witness.verdict() === 'wrong' ? await witness.ask() : witness.verdict()
    if (word === 'right' && last !== 'right') await hosts.wakeWaiting('postern/clock-wrong')
    last = word
  }
}

async function clampFuture(
  { hosts, record }: Pick<HousekeepingDeps, 'hosts' | 'record'>,
  { lookEvery }: Rhythm,
  mayGoOn: () => Promise<boolean>,
): Promise<void> {
  const anyReason = milliseconds(1.2 * (lookEvery + LONGEST_BACKOFF))
  const ofCa = milliseconds(Math.max(anyReason, LONGEST_AT_CA))
  const clamped = await hosts.clampFuture({ anyReason, ofCa }, mayGoOn)
  if (clamped > 0) record.attemptsClamped(clamped)
}

const LONGEST_BACKOFF = days(1)
/** Let's Encrypt counts in weeks: more than one is somebody's mistake. */
const LONGEST_AT_CA = days(8)

/** Removes old entries of histories, a batch a minute, once a day; and with them old claims. */
function createPruning(
  { hosts, clock }: Pick<HousekeepingDeps, 'hosts' | 'clock'>,
  mayGoOn: () => Promise<boolean>,
): () => Promise<void> {
  let cursor: string | undefined
  let startsAtMs = clock.monotonicMs()
  return async () => {
    if (clock.monotonicMs() < startsAtMs) return
    const ago = (span: Duration): Date => after(clock.now(), milliseconds(-span))
    if (cursor === undefined) await hosts.sweepClaims(ago(CLAIMS_LAST), mayGoOn)
    const next = await hosts.pruneHistory(ago(HISTORY_LASTS), cursor ?? '', mayGoOn)
    cursor = next
    if (next === undefined) startsAtMs = clock.monotonicMs() + days(1)
  }
}

const HISTORY_LASTS = days(365)

/** Destroys the keys that are left of hosts retired after `since`. */
export async function sweepKeys(
  { hosts, record }: Pick<LifecycleDeps, 'hosts' | 'record'>,
  since: Date,
): Promise<void> {
  for (const hostname of await hosts.retiredWithKeys(since, record.attendFailed)) {
    await hosts.destroyRetiredKeys(hostname)
  }
}
