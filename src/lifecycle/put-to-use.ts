import type { Certificate } from '../certs/index.ts'
import { type HistoryDraft, type Host, isOver, urgencyOf } from '../hosts/index.ts'
import { after, minutes, type NoticeKind, type Reason } from '../kernel/index.ts'
import type { Rehearsal } from './ports.ts'
import type { Work } from './work.ts'

/**
 * Puts a certificate to use that nobody has been served yet. While there is another that would do,
 * every edge worker has to manage a handshake with the new one first; if one cannot, that is the end
 * of it, and visitors never met it.
 */
export async function putToUse(
  work: Work,
  certificate: Certificate,
  current: Certificate | undefined,
): Promise<boolean> {
  const { deps, progress } = work
  if (current && !isOver(current, deps.clock.now())) {
    progress.step = 'rehearse'
    const rehearsal = await rehearse(work, certificate)
    if (rehearsal.kind === 'failed') {
      return discard(work, { certificate, current, problem: rehearsal.why })
    }
    if (rehearsal.kind === 'unanswered' && !mayDoWithout(work, rehearsal, current)) {
      return waitForAnswer(work, rehearsal, current)
    }
  }
  if (!(await servedFromNowOn(work, certificate))) return false
  return confirmServed(work, { certificate, previous: current })
}

/** Makes it the one that visitors get; false if the host was lost to somebody else. */
export async function servedFromNowOn(work: Work, { id }: Certificate): Promise<boolean> {
  const { deps, story, progress } = work
  // Whoever lost the host while the CA was thinking must not replace what is served now.
  if (!(await story.isOurs())) return false
  progress.step = 'activate'
  await deps.certs.activate(id)
  story.note(ACTIVATED)
  progress.step = 'serve'
  await deps.publish({ kind: 'host-changed', hostname: story.host.hostname })
  return true
}

const ACTIVATED: HistoryDraft = {
  step: 'activate',
  outcome: 'done',
  sentence: 'It is the one to serve from now on; the edge workers are being told.',
}

/** Twice, because a worker may have been starting; a certificate that nobody can serve stays one. */
const REHEARSALS_MAX = 2

async function rehearse({ deps, story, signal }: Work, { id }: Certificate): Promise<Rehearsal> {
  for (let time = 1; ; time += 1) {
    const rehearsal = await deps.serving.rehearse(story.host.hostname, id, signal)
    if (rehearsal.kind !== 'failed' || time === REHEARSALS_MAX) return rehearsal
  }
}

type Unanswered = Extract<Rehearsal, { kind: 'unanswered' }>

/** A node that does not answer must not cost a certificate that visitors need now. */
function mayDoWithout(
  { deps, story, settings }: Work,
  { here }: Unanswered,
  current: Certificate,
): boolean {
  const urgency = urgencyOf(story.host, current, { now: deps.clock.now(), ...settings.rhythm })
  return here === 'went-well' && (urgency === 'expiring' || urgency === 'replace-now')
}

/** It is nobody's failure, and the certificate is kept: somebody may be starting. */
async function waitForAnswer(
  { deps, story }: Work,
  { why }: Unanswered,
  current: Certificate,
): Promise<boolean> {
  const sentence = `The next certificate is there, and is put to use once every edge has tried it out. ${why}.`
  const reason: Reason = { code: 'edge/not-serving', sentence, fix: REHEARSAL_FIX }
  const { code } = reason
  const draft: HistoryDraft = { step: 'rehearse', outcome: 'waiting', code, sentence }
  const history = story.host.reason?.code === code ? [] : [draft]
  const until = after(deps.clock.now(), REHEARSED_AGAIN_AFTER)
  await story.move({ kind: 'held', reason, until, life: current }, { history, lease: 'release' })
  return false
}

const REHEARSED_AGAIN_AFTER = minutes(2)

async function discard(
  { deps, story }: Work,
  {
    certificate,
    current,
    problem,
  }: { readonly certificate: Certificate; readonly current: Certificate; readonly problem: string },
): Promise<boolean> {
  if (!(await story.isOurs())) return false
  await deps.certs.discard(certificate.id)
  const sentence = `The edge could not serve the new certificate ${certificate.serial}: ${problem}. It was thrown away; the one in use stays.`
  const reason: Reason = { code: 'edge/not-serving', sentence, fix: REHEARSAL_FIX }
  const code = reason.code
  const draft: HistoryDraft = { step: 'rehearse', outcome: 'failed', code, sentence }
  const event = { kind: 'refused', reason, retryAt: undefined, life: current } as const
  const tell = { kind: 'failing', draft } as const
  await story.move(event, { history: [draft], lease: 'release', tell })
  return false
}

const REHEARSAL_FIX =
  'Nothing, if it passes at the next attempt. Otherwise see the log of the edge that is named.'

export interface Serving {
  readonly certificate: Certificate
  /** The one that was served until now: the same, if it has not been replaced. */
  readonly previous: Certificate | undefined
}

/** Waits until every edge worker serves it, and says so: only then https is promised. */
export async function confirmServed(
  work: Work,
  { certificate, previous }: Serving,
): Promise<boolean> {
  const { deps, story, signal, progress } = work
  progress.step = 'serve'
  const { hostname, failures, state } = story.host
  const isNew = previous?.id !== certificate.id
  if (!isNew) await deps.publish({ kind: 'host-changed', hostname })
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
  const notice = await noticeFor(work, { certificate, previous })
  if (isNew || notice || state !== 'active') {
    history.push({ ...servedStory(story.host, certificate), notice, certificateId: certificate.id })
  }
  const isServed = await story.move(
    { kind: 'served', life: certificate },
    { history, lease: 'release' },
  )
  return isServed && (isNew || state !== 'active')
}

function servedStory({ certificateFrom }: Host, certificate: Certificate): HistoryDraft {
  const { serial, notAfter, renewAt, renewBecause } = certificate
  const next =
    certificateFrom === 'customer'
      ? `it is valid until ${notAfter.toISOString()}`
      : `it is replaced from ${renewAt.toISOString()} on (${renewBecause})`
  const sentence = `Every edge worker serves certificate ${serial}; ${next}.`
  return { step: 'serve', outcome: 'done', sentence }
}

/** Once for each certificate, be it only found to be served after a kill. */
async function noticeFor(
  { deps, story }: Work,
  { certificate, previous }: Serving,
): Promise<NoticeKind | undefined> {
  const { hostname, certificateFrom } = story.host
  if (certificateFrom === 'customer') return undefined
  const last = await deps.hosts.lastServedNotice(hostname)
  if (last === certificate.id) return undefined
  const isReplacing = previous?.id === certificate.id ? last !== undefined : previous !== undefined
  return isReplacing ? 'renewed' : 'issued'
}

const NOT_SERVING_FIX =
  'Nothing, if it passes within minutes. Otherwise see the log of the edge that is named, and restart it.'
