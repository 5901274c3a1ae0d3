import {
  type EndingHost,
  type ExpiringHost,
  type HistoryDraft,
  HTTPS_MARGIN,
  httpsEndsAt,
  isOver,
  type OverdueHost,
} from '../hosts/index.ts'
import { after, days, hours, milliseconds, type Reason } from '../kernel/index.ts'
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
 * Ends promises of https in time, and what counts as active without a certificate that would do. The
 * last days are looked at each time; what ended before, of which there may be much, a batch at a
 * time: it has been seen to unless clocks were set, or nobody was there.
 */
function createEnding(deps: EndWatchDeps, rhythm: Rhythm): () => Promise<void> {
  const { hosts, clock, record, witness } = deps
  const seeToBatch = async (from: Date, before: Date): Promise<Date | undefined> => {
    const span = { from, before, limit: ENDINGS_AT_ONCE }
    const dormant = dormantBefore(deps, rhythm)
    const batch = await hosts.ending({ ...span, dormantBefore: dormant }, record.attendFailed)
    if (batch.hosts.length > 0 && !witness.believes(await witness.ask())) return undefined
    for (const host of batch.hosts) await seeTo(deps, host)
    return batch.next
  }
  let cursor = EVER
  return async () => {
    const now = clock.now()
    const lately = after(now, milliseconds(-LATELY))
    const soon = after(now, HTTPS_MARGIN)
    let from: Date | undefined = lately
    for (let batch = 0; from && batch < ENDING_BATCHES; batch += 1) {
      from = await seeToBatch(from, soon)
    }
    cursor = (await seeToBatch(cursor, lately)) ?? EVER
  }
}

const EVER = new Date(0)
const LATELY = days(1)
const ENDINGS_AT_ONCE = 1000
/** In the worst week of a CA, with hosts that nobody visits among them. */
const ENDING_BATCHES = 50

/** Where somebody else was writing, it is seen to next time. */
async function seeTo(
  { hosts, publish, clock, record }: EndWatchDeps,
  { hostname, httpsSafe, isActive, certificateFrom, updatedAt, ...life }: EndingHost,
): Promise<void> {
  const now = clock.now()
  const end = life.notAfter.toISOString()
  if (isOver(life, now) && isActive) {
    const reason = certificateFrom === 'customer' ? OWN_IS_OVER : notReplaced(end)
    const { code, sentence } = reason
    const draft: HistoryDraft = {
      ...{ step: 'renew', outcome: 'failed', code, sentence, notice: 'failing' },
    }
    if (!(await hosts.expire(hostname, updatedAt, { reason, draft }))) return
    record.stepTaken({ hostname, ...draft })
    await publish({ kind: 'host-changed', hostname })
    return
  }
  if (!httpsSafe || now < httpsEndsAt({ ...life, renewAt: life.notAfter })) return
  const draft: HistoryDraft = {
    step: 'https',
    outcome: 'done',
    sentence: `The certificate ends on ${end} and has not been replaced: mail links with http again.`,
  }
  if (!(await hosts.endHttps(hostname, draft))) return
  record.stepTaken({ hostname, ...draft })
  await publish({ kind: 'host-changed', hostname })
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
