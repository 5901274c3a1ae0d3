import type { Random } from '../kernel/index.ts'
import type { HotPaths } from '../store/index.ts'
import type { HostsRecord } from '../telemetry/index.ts'
import { createFingerprints, type Fingerprints } from './fingerprints.ts'

/**
 * Is this hostname ours? An edge worker asks with each handshake and each request, so strangers
 * cost one hash, and hosts one look into a small cache.
 */
export interface HostDirectory {
  /** Reads all hostnames. Called at start, and again after notices were missed. */
  load(): Promise<void>
  /** One hash, no I/O: false is certain, true is wrong once in 2^32 / hosts. */
  has(hostname: string): boolean
  /** Exact: what `has` lets pass is looked up, and remembered until `note` or `forget`. */
  isOurs(hostname: string): Promise<boolean>
  /** A host was added or changed: takes it in, and looks it up again when it is asked for. */
  note(hostname: string): void
  /** A host was retired: looks it up again when it is asked for. */
  forget(hostname: string): void
  readonly size: number
  readonly bytes: number
}

/** Answers kept per worker: 50,000 names of 30 characters are some 5 MB. */
const KNOWN_MAX = 50_000
/** Strangers that look like hosts by chance, and retired hosts that are still asked for. */
const UNKNOWN_MAX = 10_000

interface HostDirectoryDeps {
  readonly hot: Pick<HotPaths, 'hasHost' | 'hostnames'>
  readonly random: Random
  readonly record: Pick<HostsRecord, 'directoryLoaded' | 'membershipUnreadable'>
}

export function createHostDirectory({ hot, random, record }: HostDirectoryDeps): HostDirectory {
  const seed = random.bytes(4).readUInt32BE()
  let members = createFingerprints(seed)
  let loading: Fingerprints | undefined
  const known = new Set<string>()
  const unknown = new Set<string>()
  /** Reads under way. One that is gone from here when it ends has been overtaken by a change. */
  const reads = new Map<string, Promise<boolean>>()

  const recall = (hostname: string): boolean | undefined => {
    if (known.has(hostname)) return true
    return unknown.has(hostname) ? false : undefined
  }
  const unlearn = (hostname: string): void => {
    known.delete(hostname)
    unknown.delete(hostname)
    reads.delete(hostname)
  }
  const read = (hostname: string): Promise<boolean> => {
    const reading = hot
      .hasHost(hostname)
      .then((isOurs) => {
        if (reads.get(hostname) !== reading) return isOurs
        if (isOurs) keep(known, KNOWN_MAX, hostname)
        else keep(unknown, UNKNOWN_MAX, hostname)
        return isOurs
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
    load: async () => {
      const filling = createFingerprints(seed, members.size)
      loading = filling
      for await (const hostnames of hot.hostnames()) {
        for (const hostname of hostnames) filling.add(hostname)
      }
      // A later call may have taken over; then this one is old.
      if (loading !== filling) return
      loading = undefined
      members = filling
      for (const answers of [known, unknown, reads]) answers.clear()
      record.directoryLoaded({ hosts: members.size, bytes: members.bytes })
    },
    has: (hostname) => members.has(hostname),
    isOurs: async (hostname) => {
      if (!members.has(hostname)) return false
      return recall(hostname) ?? reads.get(hostname) ?? read(hostname)
    },
    note: (hostname) => {
      members.add(hostname)
      loading?.add(hostname)
      unlearn(hostname)
    },
    forget: unlearn,
    get size() {
      return members.size
    },
    get bytes() {
      return members.bytes
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
