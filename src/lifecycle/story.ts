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
  move(event: HostEvent, saving: HostSaving): Promise<boolean>
  /** Writes what happened; the host stays where it is, and leased. */
  tell(draft: HistoryDraft): Promise<boolean>
}

export function openStory(
  { hosts, clock, random, record }: Pick<LifecycleDeps, 'hosts' | 'clock' | 'random' | 'record'>,
  claimed: ClaimedHost,
): Story {
  const { hostname } = claimed.host
  let host = claimed.host

  const write = async (moved: Host, saving: HostSaving): Promise<boolean> => {
    const isSaved = await hosts.save(claimed, moved, saving)
    if (!isSaved) {
      record.leaseLost({ hostname })
      return false
    }
    host = moved
    for (const draft of saving.history) record.stepTaken({ hostname, ...draft })
    return true
  }

  return {
    get host() {
      return host
    },
    move: (event, saving) => write(moveHost(host, event, { now: clock.now(), random }), saving),
    tell: (draft) => write(host, { history: [draft], lease: 'keep' }),
  }
}
