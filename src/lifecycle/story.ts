import {
  type ClaimedHost,
  type HistoryDraft,
  type Host,
  type HostEvent,
  type HostSaving,
  type HostTable,
  type MoveContext,
  moveHost,
} from '../hosts/index.ts'
import type { NoticeKind } from '../kernel/index.ts'
import type { ClockWitness } from './clock-witness.ts'
import type { LifecycleDeps, Rhythm } from './ports.ts'

/**
 * One host while it is worked on: where it stands now, and everything that is written about it. The
 * writes answer false once the lease is lost; whoever gets that MUST stop.
 */
export interface Story {
  readonly host: Host
  /** Moves the host and writes it, with what happened. */
  move(event: HostEvent, telling: Telling): Promise<boolean>
  /** The same, into the queue. */
  enqueue(event: Extract<HostEvent, { kind: 'queued' }>, telling: Telling): Promise<boolean>
  /** Keeps what happened for the next move: one write fewer, on which somebody waits. */
  note(draft: HistoryDraft): void
  /** Gives the host back where it is. */
  giveBack(): Promise<void>
  /** Is the lease still ours? */
  isOurs(): Promise<boolean>
}

export interface Telling extends Pick<HostSaving, 'history' | 'lease'> {
  /**
   * Trouble that the account hears of once, until the host is well again. The draft is written when
   * it does, be it among the history or not.
   */
  readonly tell?: { readonly kind: NoticeKind; readonly draft: HistoryDraft } | undefined
}

export function openStory(
  { hosts, clock, random, record }: Pick<LifecycleDeps, 'hosts' | 'clock' | 'random' | 'record'>,
  claimed: ClaimedHost,
  { rhythm, witness }: { readonly rhythm: Rhythm; readonly witness: ClockWitness },
): Story {
  const { hostname } = claimed.host
  /** As it was last read or written: what others write meanwhile is told from that. */
  let written = claimed
  let noted: readonly HistoryDraft[] = []

  const write = async (
    event: HostEvent,
    { history, lease, tell }: Telling,
    save: HostTable['save'],
  ): Promise<boolean> => {
    const by = witness.believes() ? 'right' : 'doubtful'
    const context: MoveContext = { now: clock.now(), random, ...rhythm, clock: by }
    const moved = moveHost(written.host, event, context)
    const isNew = tell && moved.told !== tell.kind
    const told = isNew ? { ...moved, told: tell.kind } : moved
    const drafts = isNew
      ? [...history.filter((draft) => draft !== tell.draft), { ...tell.draft, notice: tell.kind }]
      : history
    const https: HostSaving['https'] = event.kind === 'served' ? 'promised' : undefined
    const saving = { history: [...noted, ...drafts], lease, https }
    if (!(await save(written, told, saving))) {
      record.leaseLost({ hostname })
      return false
    }
    written = { ...written, host: told }
    noted = []
    for (const draft of saving.history) record.stepTaken({ hostname, ...draft })
    return true
  }

  return {
    get host() {
      return written.host
    },
    move: (event, telling) => write(event, telling, (...saved) => hosts.save(...saved)),
    enqueue: (event, telling) => write(event, telling, (...saved) => hosts.enqueue(...saved)),
    note: (draft) => {
      noted = [...noted, { at: clock.now(), ...draft }]
    },
    giveBack: async () => {
      if (noted.length === 0) await hosts.release(claimed)
      else await hosts.save(written, written.host, { history: noted, lease: 'release' })
    },
    isOurs: async () => {
      const isOurs = await hosts.isLeased(claimed)
      if (!isOurs) record.leaseLost({ hostname })
      return isOurs
    },
  }
}
