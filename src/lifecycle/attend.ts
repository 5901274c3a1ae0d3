import type { IssueOutcome } from '../acme/index.ts'
import type { Certificate } from '../certs/index.ts'
import {
  type ClaimedHost,
  type HistoryDraft,
  type HistoryStep,
  isWaitingForCa,
  judgePreflight,
  type PreflightJudgement,
} from '../hosts/index.ts'
import { AppError, minutes, type Reason } from '../kernel/index.ts'
import { type LookSettings, look } from './look.ts'
import type { LifecycleDeps } from './ports.ts'
import type { Slots } from './slots.ts'
import { openStory, type Story } from './story.ts'

// What happens to a host, in order:
//
//   look ──► ask the CA ──► activate ──► tell the edges ──► confirm on each ──► active
//    │           │                                               │
//    └ waiting   └ failing, paused                               └ looked at again soon
//
// Each step may run twice. Before each that others can see, the lease is proved by a write.

export interface AttendContext {
  readonly settings: LookSettings
  /** How many may be at the CA. */
  readonly slots: Slots
  /** The host is to be given back as it is. */
  readonly stopping: AbortSignal
  /** Ends the work: `stopping`, or because it took too long. */
  readonly signal: AbortSignal
  /** Called as soon as the look has been written down. */
  readonly onLooked: () => void
}

/**
 * Takes a leased host as far as it can go now, and gives it back; true if it is active at the end.
 * What goes wrong is written down for the host; only a failing store makes it throw, and then the
 * lease runs out by itself.
 */
export async function attend(
  deps: LifecycleDeps,
  claimed: ClaimedHost,
  context: AttendContext,
): Promise<boolean> {
  const { hostname } = claimed.host
  const story = openStory(deps, claimed)
  const progress: Progress = { step: 'look' }
  try {
    return await takeAlong({ deps, story, progress, ...context })
  } catch (error) {
    if (context.stopping.aborted) {
      await story.giveBack()
      return false
    }
    deps.record.attendFailed({ hostname, error })
    const { draft, reason } = failureToStory(progress.step, error)
    await story.move({ kind: 'failed', reason }, { history: [draft], lease: 'release' })
    return false
  }
}

interface Progress {
  step: HistoryStep
}

interface Work extends AttendContext {
  readonly deps: LifecycleDeps
  readonly story: Story
  readonly progress: Progress
}

async function takeAlong(work: Work): Promise<boolean> {
  const { deps, story, progress, settings, signal, onLooked } = work
  const { hostname } = story.host
  // Somebody asked for a look: that is all there is before the CA's time.
  const isLookOnly = isWaitingForCa(story.host, deps.clock.now())
  const current = await deps.certs.current(hostname)
  const facts = await look(deps, hostname, { settings, signal })
  const lookedAtMs = deps.clock.monotonicMs()
  const judgement = judgePreflight(facts)
  const mayGoOn = await noteLook(story, judgement, { current, isLookOnly })
  onLooked()
  if (!mayGoOn) return false

  const held = await certificateFor(work, current, lookedAtMs)
  if (!held) return false

  progress.step = 'serve'
  await deps.publish({ kind: 'host-changed', hostname })
  return confirmServed(work, held)
}

/** Writes down what was seen. False if this is where it ends for now. */
async function noteLook(
  story: Story,
  judgement: PreflightJudgement,
  {
    current,
    isLookOnly,
  }: { readonly current: Certificate | undefined; readonly isLookOnly: boolean },
): Promise<boolean> {
  const { host } = story
  const { checks } = judgement
  if (judgement.kind === 'ready') {
    const isNews = host.state !== 'active'
    const draft: HistoryDraft = { step: 'look', outcome: 'done', sentence: READY }
    const lease = isLookOnly ? 'release' : 'keep'
    const isSaved = await story.move(
      { kind: 'ready', checks },
      { history: isNews ? [draft] : [], lease },
    )
    return isSaved && !isLookOnly
  }
  const { reason } = judgement
  const { code, sentence } = reason
  // Told once; the same again every few seconds would bury everything else.
  const isNews = host.reason?.code !== code || host.reason.sentence !== sentence
  const history: HistoryDraft[] = isNews
    ? [{ step: 'look', outcome: 'waiting', code, sentence }]
    : []
  const event = { kind: 'not-ready', reason, checks, life: current } as const
  await story.move(event, { history, lease: 'release' })
  return false
}

const READY = 'DNS points here, CAA allows it, and our own token came back.'

/** The certificate to serve, and whether it has just become the current one. */
interface Held {
  readonly certificate: Certificate
  readonly isNew: boolean
}

/** Has the certificate there that is to be served; `undefined` if this is where it ends. */
async function certificateFor(
  work: Work,
  current: Certificate | undefined,
  lookedAtMs: number,
): Promise<Held | undefined> {
  const { deps, story, progress } = work
  if (current && !(await isDue(work, current))) return { certificate: current, isNew: false }

  const outcome = await askIssuer(work, current, lookedAtMs)
  if (!outcome) return undefined
  if (outcome.kind === 'refused') {
    const { reason, retryAt } = outcome
    const { code, sentence } = reason
    const draft: HistoryDraft = { step: 'issue', outcome: 'refused', code, sentence }
    const event = { kind: 'refused', reason, retryAt, life: current } as const
    await story.move(event, { history: [draft], lease: 'release' })
    return undefined
  }
  const { certificate } = outcome
  const sentence = `${certificate.source} issued certificate ${certificate.serial}, valid until ${certificate.notAfter.toISOString()}.`
  story.note({ step: 'issue', outcome: 'done', sentence })
  // Whoever lost the host while the CA was thinking must not replace what is served now.
  if (!(await story.isOurs())) return undefined
  progress.step = 'activate'
  await deps.certs.activate(certificate.id)
  story.note(ACTIVATED)
  return { certificate, isNew: true }
}

const ACTIVATED: HistoryDraft = {
  step: 'activate',
  outcome: 'done',
  sentence: 'It is the one to serve from now on; the edge workers are being told.',
}

/** Due by its own plan, or because somebody asked for another after it was made. */
async function isDue({ deps, story }: Work, current: Certificate): Promise<boolean> {
  if (current.renewAt <= deps.clock.now()) return true
  const askedAt = await deps.hosts.renewalAskedAt(story.host.hostname)
  return askedAt !== undefined && askedAt > current.createdAt
}

/** Waits for a slot and asks the CA; `undefined` if the host is not ready any more by then. */
async function askIssuer(
  { deps, story, progress, settings, slots, signal }: Work,
  current: Certificate | undefined,
  lookedAtMs: number,
): Promise<IssueOutcome | undefined> {
  using _slot = await slots.take(signal)
  if (deps.clock.monotonicMs() - lookedAtMs > LOOK_LASTS) {
    const judgement = judgePreflight(await look(deps, story.host.hostname, { settings, signal }))
    if (judgement.kind === 'not-ready') {
      await noteLook(story, judgement, { current, isLookOnly: false })
      return undefined
    }
  }
  progress.step = 'issue'
  // Awaited here: the slot is given back when this block is left.
  return await deps.issuer.issue({ hostname: story.host.hostname }, signal)
}

/** A customer may take a CNAME away while others are at the CA, and each refusal there counts. */
const LOOK_LASTS = minutes(1)

async function confirmServed(
  { deps, story, signal }: Work,
  { certificate, isNew }: Held,
): Promise<boolean> {
  const { hostname, failures, state } = story.host
  const confirmation = await deps.serving.confirm(hostname, certificate.id, signal)
  const history: HistoryDraft[] = []
  if (confirmation.kind === 'not-served') {
    const sentence = `${confirmation.why}; it will be asked again in a moment.`
    const reason: Reason = { code: 'edge/not-serving', sentence, fix: NOT_SERVING_FIX }
    // The first time only: this repeats every few seconds until it is so.
    if (failures === 0) history.push({ step: 'serve', outcome: 'waiting', sentence })
    const event = { kind: 'not-served', reason, life: certificate } as const
    await story.move(event, { history, lease: 'release' })
    return false
  }
  const sentence = `Every edge worker serves certificate ${certificate.serial}; it is replaced from ${certificate.renewAt.toISOString()} on (${certificate.renewBecause}).`
  if (isNew || state !== 'active') history.push({ step: 'serve', outcome: 'done', sentence })
  return story.move({ kind: 'served', life: certificate }, { history, lease: 'release' })
}

const NOT_SERVING_FIX =
  'Nothing, if it passes within minutes. Otherwise see the log of the edge that is named, and restart it.'

/** Our own mistakes are not explained to a host's owner; the log has them. */
function failureToStory(
  step: HistoryStep,
  error: unknown,
): { readonly draft: HistoryDraft; readonly reason: Reason } {
  const isOurWord = error instanceof AppError
  const code = isOurWord ? error.code : 'internal'
  const sentence = isOurWord ? error.message : SOMETHING_BROKE
  const fix = (isOurWord ? error.fix : undefined) ?? BROKEN_FIX
  return {
    draft: { step, outcome: 'failed', code, sentence },
    reason: { code: 'postern/internal', sentence, fix },
  }
}

const SOMETHING_BROKE = 'Something broke inside Postern; its log says what. It will be tried again.'
const BROKEN_FIX = 'Nothing, if it passes. Otherwise see what the log says about this host.'
