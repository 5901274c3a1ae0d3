import { availableParallelism, totalmem } from 'node:os'

/**
 * What a worker needs. Measured without a visitor (Node 26, Linux x64): 130 MB resident, of which
 * 75 MB are its own; contexts may take another 64 MB, and connections come on top.
 */
const WORKER_BYTES = 160 * 1024 * 1024

/** What this machine, or this container, has for all processes. */
export interface Machine {
  readonly cores: number
  readonly memoryBytes: number
}

export function readMachine(): Machine {
  const [total, constrained] = [totalmem(), process.constrainedMemory()]
  // cgroup v1 says "none" with a huge number, and Node with 0.
  const memoryBytes = constrained > 0 ? Math.min(constrained, total) : total
  return { cores: availableParallelism(), memoryBytes }
}

/** As many workers as there are cores, if they fit into memory: one that is killed serves nobody. */
export function workersByDefault({ cores, memoryBytes }: Machine): number {
  return Math.max(1, Math.min(cores, Math.floor(memoryBytes / WORKER_BYTES)))
}
