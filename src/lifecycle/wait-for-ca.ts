import type { Admission } from '../acme/index.ts'
import type { Certificate } from '../certs/index.ts'
import { AHEAD_MAX, type HistoryDraft, urgencyOf } from '../hosts/index.ts'
import type { Reason } from '../kernel/index.ts'
import type { Work } from './work.ts'

type Waiting = Exclude<Admission, { kind: 'go' }>

/** Writes down that the host has to wait for a CA, and why, and gives it back. */
export function waitForCa(
  work: Work,
  waiting: Waiting,
  current: Certificate | undefined,
): Promise<boolean> {
  return waiting.kind === 'queue' ? queue(work, waiting, current) : hold(work, waiting, current)
}

/** The budget that all share has no room: it takes its place among the others. */
async function queue(
  { deps, story, settings, queuePace, onQueuedAgain, via }: Work,
  { reason }: { readonly reason: Reason },
  current: Certificate | undefined,
): Promise<boolean> {
  const { hosts, clock } = deps
  const { host } = story
  const urgency = urgencyOf(host, current, { now: clock.now(), ...settings.rhythm })
  if (via === 'queue') onQueuedAgain(urgency)
  const ahead = await hosts.countAhead({ ...host, urgency }, via)
  const until = queuePace.guess(ahead)
  const sentence = `${reason.sentence.replace(/\.$/, '')}. It is ready and waits for its turn: ${inWords(ahead)}, until about ${until.toISOString().slice(0, 16).replace('T', ' ')} UTC.`
  const event = { kind: 'queued', reason: { ...reason, sentence }, until, life: current } as const
  const draft: HistoryDraft = { step: 'queue', outcome: 'waiting', code: reason.code, sentence }
  // The guess changes each time; that it waits is news once.
  const history = host.queuedAt ? [] : [draft]
  await story.enqueue(event, { history, lease: 'release' })
  return false
}

function inWords(ahead: number): string {
  if (ahead === 0) return 'it is the next'
  if (ahead === 1) return 'one host is before it'
  return `${ahead < AHEAD_MAX ? ahead : `more than ${AHEAD_MAX}`} hosts are before it`
}

/** This name must not be asked for now. Nothing was tried, and nothing counts as a failure. */
async function hold(
  { story }: Work,
  { reason, until }: { readonly reason: Reason; readonly until: Date | undefined },
  current: Certificate | undefined,
): Promise<boolean> {
  const { code, sentence } = reason
  const draft: HistoryDraft = { step: 'issue', outcome: 'waiting', code, sentence }
  const isNews = story.host.reason?.code !== code
  await story.move(
    { kind: 'held', reason, until, life: current },
    {
      ...{ history: isNews ? [draft] : [], lease: 'release' },
      tell: code === 'ca/paused' ? { kind: 'paused', draft } : undefined,
    },
  )
  return false
}
