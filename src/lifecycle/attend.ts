import { type Certificate, CUSTOMER } from '../certs/index.ts'
import {
  type ClaimedHost,
  type HistoryDraft,
  type HistoryStep,
  type Host,
  judgePreflight,
  paceOfRegularLooks,
} from '../hosts/index.ts'
import { AppError, after, type Reason } from '../kernel/index.ts'
import { type Attendance, planAttendance } from './attendance-plan.ts'
import { showRight } from './claim.ts'
import { getCertificate, type Wanting } from './get-certificate.ts'
import { look } from './look.ts'
import { lookRegularly } from './look-regularly.ts'
import { noteLook } from './note-look.ts'
import type { LifecycleDeps } from './ports.ts'
import { confirmServed, putToUse, servedFromNowOn } from './put-to-use.ts'
import { openStory } from './story.ts'
import type { AttendContext, Held, Work } from './work.ts'

// What happens to a host, in order:
//
//   look ──► admitted? ──► ask the CA ──► soak ──► rehearse ──► activate ──► confirm ──► active
//    │           │             │                      │                         │
//    └ waiting   └ queued,     └ failing, paused      └ discarded               └ asked again soon
//      or left     held
//
// Each step may run twice. Before each that others can see, the lease is proved by a write.

/**
 * Takes a leased host as far as it can go now, and gives it back; true if it has just become active,
 * or has another certificate. What goes wrong is written down for the host; only a failing store
 * makes it throw, and then the lease runs out by itself.
 */
export async function attend(
  deps: LifecycleDeps,
  claimed: ClaimedHost,
  context: AttendContext,
): Promise<boolean> {
  const { hostname } = claimed.host
  const { settings, witness } = context
  const story = openStory(deps, claimed, { rhythm: settings.rhythm, witness })
  const work: Work = { ...context, deps, story, via: claimed.via, progress: { step: 'look' } }
  try {
    return await takeAlong(work)
  } catch (error) {
    if (context.stopping.aborted) {
      await story.giveBack()
      return false
    }
    deps.record.attendFailed({ hostname, error })
    const { draft, reason } = failureToStory(work.progress.step, error)
    await story.move({ kind: 'failed', reason }, { history: [draft], lease: 'release' })
    return false
  }
}

async function takeAlong(work: Work): Promise<boolean> {
  const { deps, story, settings, via } = work
  const { hostname } = story.host
  if (!(await showRight(work))) return false
  const held: Held = {
    current: await deps.certs.current(hostname),
    waiting: usable(story.host, await deps.certs.waiting(hostname)),
  }
  const facts = { host: story.host, via, ...held, now: deps.clock.now() }
  const attendance = planAttendance(facts, settings.rules)
  switch (attendance.kind) {
    case 'use-waiting':
    case 'use-waiting-and-look':
      return held.waiting
        ? useWaiting(work, held.waiting, { ...held, how: attendance.kind })
        : false
    case 'let-soak':
      return letSoak(work, held, attendance.until)
    case 'serve':
    case 'look-regularly':
      return held.current ? goOn(work, held.current, attendance.kind) : false
    case 'look-only':
    case 'look-and-serve':
    case 'look-and-let-soak':
    case 'look-and-issue':
      return lookAndGoOn(work, held, attendance)
  }
}

interface Using extends Pick<Held, 'current'> {
  readonly how: 'use-waiting' | 'use-waiting-and-look'
}

async function useWaiting(
  work: Work,
  waiting: Certificate,
  { how, current }: Using,
): Promise<boolean> {
  if (how === 'use-waiting') {
    work.onLooked()
    return putToUse(work, waiting, current)
  }
  if (!(await servedFromNowOn(work, waiting))) return false
  return lookRegularly(work, { ...waiting, isCurrent: true })
}

/** With the certificate that visitors get. */
function goOn(work: Work, current: Certificate, how: 'serve' | 'look-regularly'): Promise<boolean> {
  if (how === 'look-regularly') return lookRegularly(work, current)
  work.onLooked()
  return confirmServed(work, { certificate: current, previous: current })
}

type FullLook = Extract<
  Attendance,
  { kind: 'look-only' | 'look-and-serve' | 'look-and-let-soak' | 'look-and-issue' }
>

async function lookAndGoOn(work: Work, held: Held, attendance: FullLook): Promise<boolean> {
  const { current } = held
  const looked = await lookFully(work, held, attendance.kind)
  switch (attendance.kind) {
    case 'look-only':
      return putOffIfDue(work)
    case 'look-and-let-soak':
      return looked ? letSoak(work, held, attendance.until) : false
    case 'look-and-serve':
      if (!looked || !current) return false
      return confirmServed(work, { certificate: current, previous: current })
    case 'look-and-issue':
      return looked ? getCertificate(work, { current, ...looked }) : false
  }
}

/** Nothing else is to be done with it, now or in a second. */
async function putOffIfDue({ deps, story, settings }: Work): Promise<false> {
  const { nextAttemptAt } = story.host
  const now = deps.clock.now()
  if (nextAttemptAt && nextAttemptAt <= now) {
    const until = after(now, paceOfRegularLooks(settings.rhythm.lookEvery, deps.random))
    await story.move({ kind: 'put-off', until }, { history: [], lease: 'release' })
  }
  return false
}

/** A CA may have issued while an owner brought a certificate, or the other way round. */
function usable(
  { certificateFrom }: Host,
  waiting: Certificate | undefined,
): Certificate | undefined {
  const isOwn = waiting?.source === CUSTOMER
  return isOwn === (certificateFrom === 'customer') ? waiting : undefined
}

/** The look is written down, and all is well; `undefined` if this is where it ends. */
async function lookFully(
  work: Work,
  { current }: Held,
  what: FullLook['kind'],
): Promise<Pick<Wanting, 'allowedCas' | 'lookedAtMs'> | undefined> {
  const { deps, story, settings, signal, onLooked } = work
  const { hostname } = story.host
  const facts = await look(deps, hostname, { settings: settings.look, signal })
  const lookedAtMs = deps.clock.monotonicMs()
  const judgement = judgePreflight(facts)
  const context = { isDue: what === 'look-and-issue', isOver: what === 'look-only' }
  const mayGoOn = await noteLook(work, { facts, judgement }, { current, ...context })
  onLooked()
  if (!mayGoOn || judgement.kind === 'not-ready') return undefined
  return { allowedCas: judgement.allowedCas, lookedAtMs }
}

async function letSoak({ story }: Work, { current }: Held, until: Date): Promise<boolean> {
  if (!current) return false
  await story.move({ kind: 'soaking', until, life: current }, { history: [], lease: 'release' })
  return false
}

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
