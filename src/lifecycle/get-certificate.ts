import type { IssueNeed, IssueOutcome } from '../acme/index.ts'
import type { Certificate } from '../certs/index.ts'
import { type HistoryDraft, judgePreflight, urgencyOf } from '../hosts/index.ts'
import { minutes, type Reason } from '../kernel/index.ts'
import { soakEnds, waitingSince } from './attendance-plan.ts'
import { look } from './look.ts'
import { noteLook } from './note-look.ts'
import { putToUse } from './put-to-use.ts'
import { waitForCa } from './wait-for-ca.ts'
import type { Work } from './work.ts'

export interface Wanting {
  readonly current: Certificate | undefined
  readonly allowedCas: readonly string[] | undefined
  /** A customer may take a CNAME away while others are at the CA. */
  readonly lookedAtMs: number
}

/** Gets a certificate for a host that is ready, and puts it to use as soon as it may be. */
export async function getCertificate(work: Work, wanting: Wanting): Promise<boolean> {
  const { deps, story, settings } = work
  const { current } = wanting
  const need = needOf(work, wanting)
  const admission = await deps.issuer.admit(need)
  if (admission.kind !== 'go') return waitForCa(work, admission, current)
  const outcome = await askIssuer(work, need, wanting)
  if (!outcome) return false
  if (outcome.kind === 'queued') {
    return waitForCa(work, { kind: 'queue', reason: outcome.reason }, current)
  }
  if (outcome.kind === 'refused') return noteRefusal(work, outcome, current)
  const { certificate } = outcome
  const { clock } = deps
  const facts = { host: story.host, current, waiting: certificate, now: clock.now() }
  const until = soakEnds(facts, settings.rules)
  const sentence = `${certificate.source} issued certificate ${certificate.serial}, valid until ${certificate.notAfter.toISOString()}.`
  if (!current || until <= clock.now()) {
    story.note({ step: 'issue', outcome: 'done', sentence })
    return putToUse(work, certificate, current)
  }
  const soaking: HistoryDraft = {
    ...{ step: 'issue', outcome: 'done' },
    sentence: `${sentence} It is put to use from ${until.toISOString()} on, when clients whose clocks are slow accept it, too.`,
  }
  const event = { kind: 'soaking', until, life: current } as const
  await story.move(event, { history: [soaking], lease: 'release' })
  return false
}

function needOf(
  { deps, story, settings }: Work,
  { current, allowedCas }: Pick<Wanting, 'current' | 'allowedCas'>,
): IssueNeed {
  const { host } = story
  const { hostname, renewalAskedAt } = host
  const now = deps.clock.now()
  return {
    ...{ hostname, allowedCas, replacing: current, askedAt: renewalAskedAt },
    urgency: urgencyOf(host, current, { now, ...settings.rhythm }),
    waitingSince: waitingSince(host, current, now),
  }
}

/** Waits for a slot and asks the CA; `undefined` if the host is not ready any more by then. */
async function askIssuer(
  work: Work,
  need: IssueNeed,
  { current, lookedAtMs }: Wanting,
): Promise<IssueOutcome | undefined> {
  const { deps, story, progress, settings, slots, signal, via, queuePace } = work
  using _slot = await slots.take(signal)
  if (deps.clock.monotonicMs() - lookedAtMs > LOOK_LASTS) {
    const facts = await look(deps, story.host.hostname, { settings: settings.look, signal })
    const seen = { facts, judgement: judgePreflight(facts) }
    if (seen.judgement.kind === 'not-ready') {
      await noteLook(work, seen, { current, isDue: true, isOver: false })
      return undefined
    }
  }
  progress.step = 'issue'
  // Awaited here: the slot is given back when this block is left.
  const outcome = await deps.issuer.issue(need, signal)
  if (via === 'queue' && outcome.kind !== 'queued') queuePace.noteLeft()
  return outcome
}

/** Each refusal at the CA counts there. */
const LOOK_LASTS = minutes(1)

async function noteRefusal(
  work: Work,
  { reason, retryAt }: { readonly reason: Reason; readonly retryAt?: Date | undefined },
  current: Certificate | undefined,
): Promise<boolean> {
  const { code, sentence } = reason
  if (code === 'postern/clock-wrong') {
    // Our own fault, of which no CA has heard.
    return waitForCa(work, { kind: 'wait', reason, until: retryAt ?? inAWhile(work) }, current)
  }
  const draft: HistoryDraft = { step: 'issue', outcome: 'refused', code, sentence }
  const kind = code === 'ca/paused' ? 'paused' : 'failing'
  const event = { kind: 'refused', reason, retryAt, life: current } as const
  await work.story.move(event, { history: [draft], lease: 'release', tell: { kind, draft } })
  return false
}

function inAWhile({ deps }: Work): Date {
  return new Date(deps.clock.now().getTime() + CLOCK_LOOKED_AT_AGAIN)
}

const CLOCK_LOOKED_AT_AGAIN = minutes(10)
