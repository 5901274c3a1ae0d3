import {
  type EndingHost,
  type ExpiringHost,
  type HistoryDraft,
  HTTPS_MARGIN,
  httpsEndsAt,
  isOver,
  type OverdueHost,
} from '../hosts/index.ts'
import { after, hours, milliseconds, type Reason } from '../kernel/index.ts'
import type { ClockWitness } from './clock-witness.ts'
import { OWN_IS_OVER } from './lack-reasons.ts'
import type { LifecycleDeps, Rhythm } from './ports.ts'

type EndWatchDeps = Pick<LifecycleDeps, 'hosts' | 'publish' | 'clock' | 'record'> & {
  readonly witness: ClockWitness
}

/** Steps of housekeeping: what follows when certificates come to their end without being replaced. */
export function createEndWatch(
  deps: EndWatchDeps,
  rhythm: Rhythm,
  mayGoOn: () => Promise<boolean>,
): Readonly<Record<string, () => Promise<void>>> {
  return {
    'ends of certificates': createEnding(deps, rhythm),
    promotions: async () => {
      const promoted = await deps.hosts.promoteExpiring({
        ...{ mayGoOn, dormantBefore: dormantBefore(deps, rhythm) },
      })
      if (promoted > 0) deps.record.hostsPromoted(promoted)
    },
    'notices of ends': async () => {
      const telling = { mayGoOn, dormantBefore: dormantBefore(deps, rhythm) }
      await deps.hosts.tellExpiring({ ...telling, toDraft: toExpiringDraft })
    },
    'notices of delays': createDelayNotices(deps, rhythm, mayGoOn),
  }
}

/** Hosts that nobody has visited since then are left alone, if that is the policy. */
function dormantBefore(
  { clock }: Pick<EndWatchDeps, 'clock'>,
  { idlePolicy, idleAfter }: Rhythm,
): Date | undefined {
  return idlePolicy === 'lazy' ? after(clock.now(), milliseconds(-idleAfter)) : undefined
}

/**
 * Ends promises of https in time, and what counts as active without a certificate that would do.
 * What ended before the last round has been seen to; now and then all is looked at anew, for the
 * case that clocks were set.
 */
function createEnding(deps: EndWatchDeps, rhythm: Rhythm): () => Promise<void> {
  const { hosts, clock, record, witness } = deps
  let from = EVER
  let anewAtMs = clock.monotonicMs() + LOOKED_AT_ANEW_AFTER
  /** True if there may be more. */
  const seeToBatch = async (now: Date): Promise<boolean> => {
    const dormant = dormantBefore(deps, rhythm)
    const span = { from, before: after(now, HTTPS_MARGIN), limit: ENDINGS_AT_ONCE }
    const found = await hosts.ending({ ...span, dormantBefore: dormant }, record.attendFailed)
    if (found.length > 0 && !witness.believes(await witness.ask())) return false
    let isAllDone = true
    for (const host of found) if (!(await seeTo(deps, host))) isAllDone = false
    const last = found.at(-1)
    if (last && found.length === ENDINGS_AT_ONCE) {
      from = last.notAfter
      return true
    }
    if (isAllDone) from = now
    return false
  }
  return async () => {
    if (clock.monotonicMs() >= anewAtMs) {
      from = EVER
      anewAtMs = clock.monotonicMs() + LOOKED_AT_ANEW_AFTER
    }
    const now = clock.now()
    // A clock that was put back looks at what it has seen again.
    if (from > now) from = now
    for (let batch = 0; batch < ENDING_BATCHES; batch += 1) if (!(await seeToBatch(now))) return
  }
}

const EVER = new Date(0)
const LOOKED_AT_ANEW_AFTER = hours(1)
const ENDINGS_AT_ONCE = 1000
const ENDING_BATCHES = 10

/** False if somebody else was writing: it is seen to next time. */
async function seeTo(
  { hosts, publish, clock, record }: EndWatchDeps,
  { hostname, httpsSafe, isActive, certificateFrom, updatedAt, ...life }: EndingHost,
): Promise<boolean> {
  const now = clock.now()
  const end = life.notAfter.toISOString()
  if (isOver(life, now) && isActive) {
    const reason = certificateFrom === 'customer' ? OWN_IS_OVER : notReplaced(end)
    const { code, sentence } = reason
    const draft: HistoryDraft = {
      ...{ step: 'renew', outcome: 'failed', code, sentence, notice: 'failing' },
    }
    if (!(await hosts.expire(hostname, updatedAt, { reason, draft }))) return false
    record.stepTaken({ hostname, ...draft })
    await publish({ kind: 'host-changed', hostname })
    return true
  }
  if (!httpsSafe || now < httpsEndsAt({ ...life, renewAt: life.notAfter })) return true
  const draft: HistoryDraft = {
    step: 'https',
    outcome: 'done',
    sentence: `The certificate ends on ${end} and has not been replaced: mail links with http again.`,
  }
  if (!(await hosts.endHttps(hostname, draft))) return true
  record.stepTaken({ hostname, ...draft })
  await publish({ kind: 'host-changed', hostname })
  return true
}

function notReplaced(end: string): Reason {
  return {
    code: 'certificate/expiring',
    sentence: `The certificate ended on ${end}, and has not been replaced.`,
    fix: 'Nothing, if it is replaced soon. Otherwise see the log, and what the CA says.',
  }
}

function toExpiringDraft({ notAfter, why }: ExpiringHost): HistoryDraft {
  const sentence = `The certificate ends on ${notAfter.toISOString()}, and could not be renewed so far.`
  return {
    ...{ step: 'renew', outcome: 'failed', notice: 'expiring' },
    sentence: why === undefined ? sentence : `${sentence} ${why}`,
  }
}

/** A batch a minute, round and round. */
function createDelayNotices(
  deps: EndWatchDeps,
  rhythm: Rhythm,
  mayGoOn: () => Promise<boolean>,
): () => Promise<void> {
  let cursor = EVER
  // What is late because this program did not run comes first.
  const startsAtMs = deps.clock.monotonicMs() + CATCHING_UP_LASTS
  return async () => {
    if (deps.clock.monotonicMs() < startsAtMs) return
    const telling = { mayGoOn, dormantBefore: dormantBefore(deps, rhythm) }
    cursor = (await deps.hosts.tellOverdue({ ...telling, toDraft: toOverdueDraft }, cursor)) ?? EVER
  }
}

const CATCHING_UP_LASTS = hours(1)

function toOverdueDraft({ renewAt, notAfter, why }: OverdueHost): HistoryDraft {
  const sentence = `The certificate should have been replaced from ${renewAt.toISOString()} on, and has not been yet; it is valid until ${notAfter.toISOString()}.`
  return {
    ...{ step: 'renew', outcome: 'waiting', notice: 'failing' },
    sentence: why === undefined ? sentence : `${sentence} ${why}`,
  }
}
