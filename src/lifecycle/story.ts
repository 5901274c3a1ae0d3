import {
  type ClaimedHost,
  type HistoryDraft,
  type Host,
  type HostEvent,
  type HostSaving,
  moveHost,
} from '../hosts/index.ts'
import type { LifecycleDeps } from './ports.ts'

/**
 * One host while it is worked on: where it stands now, and everything that is written about it. The
 * writes answer false once the lease is lost; whoever gets that MUST stop.
 */
export interface Story {
  readonly host: Host
  /** Moves the host and writes it, with what happened. */
  move(event: HostEvent, saving: Pick<HostSaving, 'history' | 'lease'>): Promise<boolean>
  /** Keeps what happened for the next move: one write fewer, on which somebody waits. */
  note(draft: HistoryDraft): void
  /** Gives the host back where it is. */
  giveBack(): Promise<void>
  /** Is the lease still ours? */
  isOurs(): Promise<boolean>
}

export function openStory(
  { hosts, clock, random, record }: Pick<LifecycleDeps, 'hosts' | 'clock' | 'random' | 'record'>,
  claimed: ClaimedHost,
): Story {
  const { hostname } = claimed.host
  let host = claimed.host
  let noted: readonly HistoryDraft[] = []

  return {
    get host() {
      return host
    },
    move: async (event, { history, lease }) => {
      const moved = moveHost(host, event, { now: clock.now(), random })
      const https: HostSaving['https'] = event.kind === 'served' ? 'promised' : undefined
      const saving = { history: [...noted, ...history], lease, https }
      if (!(await hosts.save(claimed, moved, saving))) {
        record.leaseLost({ hostname })
        return false
      }
      host = moved
      noted = []
      for (const draft of saving.history) record.stepTaken({ hostname, ...draft })
      return true
    },
    note: (draft) => {
      noted = [...noted, { at: clock.now(), ...draft }]
    },
    giveBack: async () => {
      if (noted.length === 0) await hosts.release(claimed)
      else await hosts.save(claimed, host, { history: noted, lease: 'release' })
    },
    isOurs: async () => {
      const isOurs = await hosts.isLeased(claimed)
      if (!isOurs) record.leaseLost({ hostname })
      return isOurs
    },
  }
}
