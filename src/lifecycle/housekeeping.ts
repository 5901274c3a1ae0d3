import { type HistoryDraft, HTTPS_MARGIN, httpsEndsAt } from '../hosts/index.ts'
import { after, type Duration, days, hours, milliseconds } from '../kernel/index.ts'
import { isClockWrong } from './leave-watch.ts'
import { takeOverDue, warnOwners } from './own-certificate.ts'
import type { LifecycleDeps, Rhythm } from './ports.ts'

type HousekeepingDeps = Pick<
  LifecycleDeps,
  'hosts' | 'certs' | 'issuer' | 'challenges' | 'publish' | 'clock' | 'record'
>

/**
 * What has to happen on time whatever becomes of single hosts: https is no longer promised for a
 * certificate that is about to end, who nears the end comes first, owners are warned, old tokens,
 * entries and retired hosts' keys go, and hosts are counted.
 */
export function createHousekeeping(deps: HousekeepingDeps, rhythm: Rhythm): () => Promise<void> {
  const { hosts, challenges, clock, record } = deps
  const ago = (span: Duration): Date => after(clock.now(), milliseconds(-span))
  const steps: Readonly<Record<string, () => Promise<void>>> = {
    'far future': () => clampFuture(deps, rhythm),
    'ends of https': () => endPromises(deps),
    'ends of certificates': () => tellEnds(deps),
    'take-overs': () => takeOverDue(deps),
    keys: () => sweepKeys(deps, ago(LATE_WRITES_LAST)),
    challenges: async () => void (await challenges.sweep()),
    claims: () => hosts.sweepClaims(ago(CLAIMS_LAST)),
    histories: createPruning(deps),
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

async function clampFuture(
  { hosts, record }: HousekeepingDeps,
  { lookEvery }: Rhythm,
): Promise<void> {
  const anyReason = milliseconds(1.2 * (lookEvery + LONGEST_BACKOFF))
  const ofCa = milliseconds(Math.max(anyReason, LONGEST_AT_CA))
  const clamped = await hosts.clampFuture({ anyReason, ofCa })
  if (clamped > 0) record.attemptsClamped(clamped)
}

const LONGEST_BACKOFF = days(1)
/** Let's Encrypt counts in weeks: more than one is somebody's mistake. */
const LONGEST_AT_CA = days(8)

async function endPromises(deps: HousekeepingDeps): Promise<void> {
  if (isClockWrong(deps)) return
  const { hosts, publish, clock, record } = deps
  const now = clock.now()
  const ending = await hosts.endingBefore(after(now, HTTPS_MARGIN), record.attendFailed)
  for (const { hostname, ...life } of ending) {
    if (now < httpsEndsAt({ ...life, renewAt: life.notAfter })) continue
    const draft: HistoryDraft = {
      step: 'https',
      outcome: 'done',
      sentence: `The certificate ends on ${life.notAfter.toISOString()} and has not been replaced: mail links with http again.`,
    }
    if (!(await hosts.endHttps(hostname, draft))) continue
    record.stepTaken({ hostname, ...draft })
    await publish({ kind: 'host-changed', hostname })
  }
}

/** Those near their end come before all others, and their owners hear of it if nothing helps. */
async function tellEnds(deps: HousekeepingDeps): Promise<void> {
  if (isClockWrong(deps)) return
  const { hosts, certs, record } = deps
  const promoted = await hosts.promoteExpiring()
  if (promoted > 0) record.hostsPromoted(promoted)
  await hosts.tellExpiring((notAfter) => ({
    ...{ step: 'renew', outcome: 'failed', notice: 'expiring' },
    sentence: `The certificate ends on ${notAfter.toISOString()}, and could not be renewed so far.`,
  }))
  await warnOwners({ hosts, certs, record })
}

/** Removes old entries of histories, a batch a minute, once a day. */
function createPruning({ hosts, clock }: HousekeepingDeps): () => Promise<void> {
  let cursor: string | undefined = ''
  let startsAtMs = clock.monotonicMs()
  return async () => {
    if (clock.monotonicMs() < startsAtMs) return
    const before = after(clock.now(), milliseconds(-HISTORY_LASTS))
    cursor = await hosts.pruneHistory(before, cursor ?? '')
    if (cursor === undefined) startsAtMs = clock.monotonicMs() + days(1)
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
