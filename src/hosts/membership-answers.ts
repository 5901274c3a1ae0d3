import type { HotPaths } from '../store/index.ts'
import type { HostsRecord } from '../telemetry/index.ts'

/** What the store said about single hostnames, remembered until it may have changed. */
export interface MembershipAnswers {
  isHost(hostname: string): boolean | Promise<boolean>
  /** The host has changed: what was or is being read about it is old. */
  forget(hostname: string): void
  clear(): void
}

/** Answers kept per worker: 50,000 names of 30 characters are some 5 MB. */
const KNOWN_MAX = 50_000
/** Strangers that look like hosts by chance, and retired hosts that are still asked for. */
const UNKNOWN_MAX = 10_000

export function createMembershipAnswers({
  hot,
  record,
}: {
  readonly hot: Pick<HotPaths, 'hasHost'>
  readonly record: Pick<HostsRecord, 'membershipUnreadable'>
}): MembershipAnswers {
  const known = new Set<string>()
  const unknown = new Set<string>()
  /** Reads under way. One that is gone from here when it ends has been overtaken by a change. */
  const reads = new Map<string, Promise<boolean>>()

  const recall = (hostname: string): boolean | undefined => {
    if (known.has(hostname)) return true
    return unknown.has(hostname) ? false : undefined
  }
  const read = (hostname: string): Promise<boolean> => {
    const reading = hot
      .hasHost(hostname)
      .then((isHost) => {
        if (reads.get(hostname) !== reading) return isHost
        if (isHost) keep(known, KNOWN_MAX, hostname)
        else keep(unknown, UNKNOWN_MAX, hostname)
        return isHost
      })
      .catch((error: unknown) => {
        // Links that were sent keep working without the store: then the fingerprint has to do.
        record.membershipUnreadable({ hostname, error })
        return true
      })
      .finally(() => {
        if (reads.get(hostname) === reading) reads.delete(hostname)
      })
    reads.set(hostname, reading)
    return reading
  }

  return {
    isHost: (hostname) => recall(hostname) ?? reads.get(hostname) ?? read(hostname),
    forget: (hostname) => {
      known.delete(hostname)
      unknown.delete(hostname)
      reads.delete(hostname)
    },
    clear: () => {
      for (const names of [known, unknown, reads]) names.clear()
    },
  }
}

/** Adds to a bounded set; the oldest makes room. */
function keep(names: Set<string>, max: number, name: string): void {
  if (names.size >= max) {
    for (const oldest of names) {
      names.delete(oldest)
      break
    }
  }
  names.add(name)
}
