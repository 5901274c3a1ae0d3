import type { Hostname } from '../../kernel/index.ts'
import { VISITED_HOSTS_MAX } from '../limits.ts'

/** Which hosts were visited in a while. */
export interface Visits {
  readonly hostnames: readonly Hostname[]
  /** Those among them that a visitor found without a certificate in validity. */
  readonly lacking: readonly Hostname[]
}

/** Remembers which hosts were visited since somebody last asked: names alone, no counts. */
export interface VisitBook {
  /** Called for every request: costs a look into a set. */
  note(hostname: Hostname): void
  noteLacking(hostname: Hostname): void
  /** Runs a handshake of our own with a host, which is no visit. */
  withoutNoting<Result>(hostname: Hostname, work: () => Promise<Result>): Promise<Result>
  isOwn(hostname: Hostname): boolean
  /** What was noted since the last call. */
  take(): Visits
}

export function createVisitBook(): VisitBook {
  let visited = new Set<Hostname>()
  let lacking = new Set<Hostname>()
  const own = new Map<Hostname, number>()

  const countOwn = (hostname: Hostname, change: 1 | -1): void => {
    const count = (own.get(hostname) ?? 0) + change
    if (count > 0) own.set(hostname, count)
    else own.delete(hostname)
  }
  return {
    note: (hostname) => addWithin(visited, hostname),
    noteLacking: (hostname) => {
      if (!own.has(hostname)) addWithin(lacking, hostname)
    },
    withoutNoting: async (hostname, work) => {
      countOwn(hostname, 1)
      try {
        return await work()
      } finally {
        countOwn(hostname, -1)
      }
    },
    isOwn: (hostname) => own.has(hostname),
    take: () => {
      const visits = { hostnames: [...visited.union(lacking)], lacking: [...lacking] }
      visited = new Set()
      lacking = new Set()
      return visits
    },
  }
}

/** What does not fit is noted at a later visit: nobody asks so rarely that it would matter. */
function addWithin(hosts: Set<Hostname>, hostname: Hostname): void {
  if (hosts.size < VISITED_HOSTS_MAX) hosts.add(hostname)
}
