import { setImmediate as turn } from 'node:timers/promises'
import type { Clock, Random } from '../kernel/index.ts'
import type { HotPaths } from '../store/index.ts'
import type { HostsRecord } from '../telemetry/index.ts'
import { createFingerprints, type Fingerprints } from './fingerprints.ts'
import { createMembershipAnswers } from './membership-answers.ts'

/**
 * Is this hostname ours? An edge worker asks with each handshake and each request, so strangers
 * cost one hash, and hosts one look into a small cache.
 */
export interface HostDirectory {
  /** Reads all hostnames. Called at start, and again after notices were missed. */
  load(): Promise<void>
  /**
   * One hash, no I/O: false is certain, true is wrong once in 2^32 / hosts. Before the first `load`
   * is through, true for everybody: then the store alone decides, and nobody waits for the rest.
   */
  has(hostname: string): boolean
  /**
   * Exact: what `has` lets pass is looked up, and remembered until `note` or `forget`. Answers at
   * once, without a promise, while it is remembered. Where the store does not answer in a moment,
   * what `has` says.
   */
  isOurs(hostname: string): boolean | Promise<boolean>
  /** A host was added or changed: takes it in, and looks it up again when it is asked for. */
  note(hostname: string): void
  /** A host was retired: looks it up again when it is asked for. */
  forget(hostname: string): void
  readonly size: number
  readonly bytes: number
}

interface HostDirectoryDeps {
  readonly hot: Pick<HotPaths, 'hasHost' | 'hostnames'>
  readonly random: Random
  readonly clock: Pick<Clock, 'monotonicMs' | 'sleep'>
  readonly record: Pick<HostsRecord, 'directoryLoaded' | 'membershipUnreadable'>
}

export function createHostDirectory({
  hot,
  random,
  clock,
  record,
}: HostDirectoryDeps): HostDirectory {
  const seed = random.bytes(4).readUInt32BE()
  let members = createFingerprints(seed)
  let loading: Fingerprints | undefined
  let isLoaded = false
  const has = (hostname: string): boolean => !isLoaded || members.has(hostname)
  const answers = createMembershipAnswers({ hot, clock, record })

  return {
    load: async () => {
      const filling = createFingerprints(seed, members.size)
      loading = filling
      for await (const hostnames of hot.hostnames()) {
        for (const hostname of hostnames) filling.add(hostname)
        // Visitors come between two batches.
        await turn()
      }
      // A later call may have taken over; then this one is old.
      if (loading !== filling) return
      loading = undefined
      members = filling
      isLoaded = true
      answers.clear()
      record.directoryLoaded({ hosts: members.size, bytes: members.bytes })
    },
    has,
    isOurs: (hostname) => has(hostname) && answers.isHost(hostname),
    note: (hostname) => {
      members.add(hostname)
      loading?.add(hostname)
      answers.forget(hostname)
    },
    forget: (hostname) => answers.forget(hostname),
    get size() {
      return members.size
    },
    get bytes() {
      return members.bytes
    },
  }
}
