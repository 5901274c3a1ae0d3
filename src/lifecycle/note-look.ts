import type { Certificate } from '../certs/index.ts'
import {
  type Check,
  type HistoryDraft,
  hasLeft,
  leadsElsewhere,
  type PreflightFacts,
  type PreflightJudgement,
} from '../hosts/index.ts'
import type { Reason } from '../kernel/index.ts'
import type { Story } from './story.ts'
import type { Work } from './work.ts'

export interface LookContext {
  readonly current: Certificate | undefined
  /** Another certificate is needed. */
  readonly isDue: boolean
  /** It ends here even if all is well. */
  readonly isOver: boolean
}

/** Writes down what a full look has found. False if this is where it ends for now. */
export async function noteLook(
  work: Pick<Work, 'story' | 'deps' | 'witness'>,
  { facts, judgement }: { readonly facts: PreflightFacts; readonly judgement: PreflightJudgement },
  { current, isDue, isOver }: LookContext,
): Promise<boolean> {
  const { story } = work
  const { checks } = judgement
  if (judgement.kind === 'ready') {
    const lease = isOver ? 'release' : 'keep'
    const isSaved = await story.move(
      { kind: 'ready', checks },
      { history: readyStory(story), lease },
    )
    return isSaved && !isOver
  }
  const { reason } = judgement
  const isAway = leadsElsewhere(facts, reason)
  await noteTrouble(work, { reason, checks, isAway }, { current, isDue })
  return false
}

function readyStory({ host }: Story): readonly HistoryDraft[] {
  if (host.leftAt) return [returned()]
  const isNews = host.state !== 'active'
  return isNews ? [{ step: 'look', outcome: 'done', sentence: READY }] : []
}

const READY = 'DNS points here, CAA allows it, and our own token came back.'

/** Of a host that had left. */
export function returned(): HistoryDraft {
  const sentence = 'DNS points here again: it goes on by itself.'
  return { step: 'look', outcome: 'done', sentence, notice: 'returned' }
}

export interface Trouble {
  readonly reason: Reason
  readonly checks: readonly Check[]
  readonly isAway: boolean
}

export interface TroubleContext {
  readonly current: Certificate | undefined
  readonly isDue: boolean
}

/** Writes down what is wrong with a host's DNS, and, once that is certain, that it has left. */
export async function noteTrouble(
  { story, deps, witness }: Pick<Work, 'story' | 'deps' | 'witness'>,
  { reason, checks, isAway }: Trouble,
  { current, isDue }: TroubleContext,
): Promise<void> {
  const { host } = story
  const { code, sentence } = reason
  const draft: HistoryDraft = { step: 'look', outcome: 'waiting', code, sentence }
  // Told once; the same again every few seconds would bury everything else.
  const isNews = host.reason?.code !== code || host.reason.sentence !== sentence
  const history = isNews ? [draft] : []
  // Without this its certificate would be replaced now. Of who has left nobody expects that.
  const isFailing = isDue && current !== undefined && !host.leftAt
  const tell = isFailing ? ({ kind: 'failing', draft } as const) : undefined
  const event = { kind: 'not-ready', reason, checks, life: current, isAway } as const
  const mayHaveLeft = isAway && current !== undefined
  const lease = mayHaveLeft ? 'keep' : 'release'
  if (!(await story.move(event, { history, lease, tell })) || !mayHaveLeft) return
  const isCertain = hasLeft(story.host, deps.clock.now()) && (await witness.ask()) === 'right'
  if (isCertain) await noteLeft(story, { reason, checks })
  else await story.giveBack()
}

/** https is not promised any more from here on, and nothing is renewed; links that are out go on. */
async function noteLeft(
  story: Story,
  { reason, checks }: Pick<Trouble, 'reason' | 'checks'>,
): Promise<void> {
  const draft: HistoryDraft = {
    ...{ step: 'leave', outcome: 'done', code: reason.code, notice: 'left' },
    sentence: `It has left: ${reason.sentence} Links that were sent are answered until its certificate ends; nothing is renewed.`,
  }
  await story.move({ kind: 'left', reason, checks }, { history: [draft], lease: 'release' })
}
