import type { TrackingRecord } from '../telemetry/index.ts'
import type { Hit } from './hit.ts'
import type { DeliverHits } from './hit-mover.ts'

//  front ─┬─ taken ───────────────────────────────────────────────► next
//         ├─ not now ─────────────────────────────────────────────► wait, all of them
//         └─ refused ─┬─ taken without what its visitor wrote ────► next
//                     └─ is another one taken? ─┬─ no: an outage ─► wait, all of them
//                                               └─ yes, 3 times ──► set aside, next
//
// A visitor chooses the query of a link and the name of a program, and a backend may fail at either:
// one such hit must not keep all others waiting. Nor must a backend that fails at everything have
// its hits set aside.

/** What a destination said to one hit. `refused`: it failed at it, and perhaps only at this one. */
export type HitReply = 'taken' | 'refused' | 'not-now'

export interface OneByOneDeps {
  readonly send: (hit: Hit, signal: AbortSignal) => Promise<HitReply>
  /** Keeps a hit durably, where people find it. */
  readonly setAside: (hit: Hit) => Promise<void>
  readonly record: Pick<TrackingRecord, 'hitSentBare' | 'hitSetAside'>
}

/** An error may be over at the next attempt; the mover waits longer before each of them. */
const REFUSALS_BEFORE_BARE = 3
/** Times that a hit is refused, and another one directly after it taken. */
const REFUSALS_ALONE_MAX = 3
/** Of those behind a refused one; then every time twice as far: 14 requests at most to a backend in trouble. */
const NEIGHBOURS_ASKED = 8

/** Delivers one after the other, and none before the one ahead of it; except past one that is refused again and again. */
export function createOneByOne({ send, setAside, record }: OneByOneDeps): DeliverHits {
  const { troubleOf, isAhead, noteAhead, keepOnly } = createNotes()
  const ask = async (hit: Hit, signal: AbortSignal): Promise<HitReply> => {
    if (isAhead(hit)) return 'taken'
    const reply = await send(hit, signal)
    if (reply === 'refused') troubleOf(hit).refusals += 1
    return reply
  }
  const askBare = async (hit: Hit, signal: AbortSignal): Promise<HitReply> => {
    const reply = await send(toBare(hit), signal)
    if (reply === 'taken') record.hitSentBare({ requestId: hit.id })
    return reply
  }
  /** Says whether one of them was taken; then those refused before it were so alone. */
  const askOthers = async (
    front: Hit,
    behind: readonly Hit[],
    signal: AbortSignal,
  ): Promise<boolean> => {
    const refused = [front]
    for (const hit of neighbours(behind.filter((hit) => !isAhead(hit)))) {
      const reply = await ask(hit, signal)
      if (reply === 'not-now') return false
      if (reply === 'taken') {
        noteAhead(hit)
        for (const one of refused) troubleOf(one).alone += 1
        return true
      }
      refused.push(hit)
    }
    return false
  }
  /** What becomes of one that was refused just now. */
  const settle = async (
    hit: Hit,
    { behind, isWell }: { readonly behind: readonly Hit[]; readonly isWell: boolean },
    signal: AbortSignal,
  ): Promise<'done' | 'waits'> => {
    const trouble = troubleOf(hit)
    const mayBeBare = isWell || trouble.refusals >= REFUSALS_BEFORE_BARE
    if (mayBeBare && (await askBare(hit, signal)) === 'taken') return 'done'
    if (isWell) trouble.alone += 1
    else if (!(await askOthers(hit, behind, signal))) return 'waits'
    if (trouble.alone < REFUSALS_ALONE_MAX) return 'waits'
    await setAside(hit)
    record.hitSetAside({ requestId: hit.id })
    return 'done'
  }
  const deliver = async (
    hit: Hit,
    others: { readonly behind: readonly Hit[]; readonly isWell: boolean },
    signal: AbortSignal,
  ): Promise<'done' | 'waits'> => {
    let reply = await ask(hit, signal)
    // It took others a moment ago: the error may have been of that moment.
    if (reply === 'refused' && others.isWell) reply = await ask(hit, signal)
    if (reply === 'refused') return await settle(hit, others, signal)
    return reply === 'taken' ? 'done' : 'waits'
  }

  return async (hits, signal) => {
    keepOnly(hits)
    for (const [index, hit] of hits.entries()) {
      // That the first of them is through says that it is not an outage.
      const others = { behind: hits.slice(index + 1), isWell: index > 0 }
      if ((await deliver(hit, others, signal)) === 'waits') return index
    }
    return hits.length
  }
}

interface Trouble {
  refusals: number
  alone: number
}

/** What is known of the hits that are given again and again: no more of them than come at once. */
function createNotes() {
  const troubles = new Map<string, Trouble>()
  // Taken out of their turn: not sent once more when it comes.
  let ahead: ReadonlySet<string> = new Set()
  return {
    troubleOf: ({ id }: Hit): Trouble => {
      const trouble = troubles.get(id) ?? { refusals: 0, alone: 0 }
      troubles.set(id, trouble)
      return trouble
    },
    isAhead: ({ id }: Hit): boolean => ahead.has(id),
    noteAhead: ({ id }: Hit): void => {
      ahead = new Set([...ahead, id])
    },
    keepOnly: (hits: readonly Hit[]): void => {
      const ids = new Set(hits.map(({ id }) => id))
      for (const id of troubles.keys()) if (!ids.has(id)) troubles.delete(id)
      ahead = ahead.intersection(ids)
    },
  }
}

/** The same hit, without what its visitor could write into it: a query is no part of a link. */
function toBare({ owed, ...hit }: Hit): Hit {
  const target = owed?.target.split('?', 1)[0] ?? ''
  return { ...hit, userAgent: '', owed: owed && { ...owed, target } }
}

function neighbours(behind: readonly Hit[]): readonly Hit[] {
  return behind.filter((_, index) => index < NEIGHBOURS_ASKED || Number.isInteger(Math.log2(index)))
}
