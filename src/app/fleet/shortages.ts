import type { Shortage } from '../../telemetry/index.ts'
import type { EdgeTrouble } from './edge-fleet.ts'

/** What one edge has too little of right now, as it said itself. */
export interface ShortageBook {
  began(of: Shortage): void
  ended(of: Shortage): void
  current(): readonly Shortage[]
}

export function createShortageBook(): ShortageBook {
  const shortages = new Set<Shortage>()
  return {
    began: (of) => void shortages.add(of),
    ended: (of) => void shortages.delete(of),
    current: () => [...shortages],
  }
}

/** What the operator reads of it. */
export const SHORTAGES: Readonly<Record<Shortage, EdgeTrouble>> = {
  connections: {
    code: 'edge/connections-full',
    sentence: 'An edge worker has as many connections as it may, and turns visitors away',
    fix: 'Look at postern_connections_shed_total; allow more open files, or add a node.',
  },
  memory: {
    code: 'edge/memory-high',
    sentence: 'An edge worker is short of memory, and ends idle connections',
    fix: 'Give this machine or container more memory, or let it run fewer workers.',
  },
  journal: {
    code: 'tracking/hits-not-journaled',
    sentence: 'An edge worker cannot write hits down; they wait in its memory, or are lost',
    fix: 'Make sure that the disk of the journal is sound and has room. Links work meanwhile.',
  },
  descriptors: {
    code: 'edge/no-descriptors',
    sentence: 'An edge worker cannot open another file, and so accepts nobody',
    fix: 'Allow more open files: LimitNOFILE=65536 (systemd), `ulimit -Hn`, --ulimit nofile= (Docker).',
  },
}
