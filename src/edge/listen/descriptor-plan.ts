import {
  BACKEND_SOCKETS_MAX,
  CONNECTIONS_MAX,
  DESCRIPTORS_ASSUMED,
  DESCRIPTORS_WISHED,
  SPARE_DESCRIPTORS,
} from '../limits.ts'

/** How a process's file descriptors are shared out. Their sum never exceeds what it may open. */
export interface DescriptorPlan {
  readonly limit: number
  /** Of visitors. */
  readonly connections: number
  /** Of each pool of connections to a backend; 0 where the backend is in this process. */
  readonly socketsPerPool: number
  /** Fewer visitors fit than a server should have room for. */
  readonly isTight: boolean
}

/**
 * Keeps some for store, journals, logs and whatever has to be opened in need, room for the sockets
 * that requests will need to backends, and gives the rest to visitors.
 */
export function planDescriptors(
  limit: number | undefined,
  { pools }: { readonly pools: number },
): DescriptorPlan {
  const known = limit ?? DESCRIPTORS_ASSUMED
  const free = known - Math.min(SPARE_DESCRIPTORS, Math.floor(known / 2))
  // A visitor who is served takes one of each: more than half would never be used.
  const socketsPerPool =
    pools === 0 ? 0 : Math.min(BACKEND_SOCKETS_MAX, Math.floor(free / 2 / pools))
  return {
    limit: known,
    connections: Math.min(CONNECTIONS_MAX, free - socketsPerPool * pools),
    socketsPerPool,
    isTight: known < DESCRIPTORS_WISHED,
  }
}

/**
 * Reads `/proc/self/limits`: how many files may be open. Node has raised the soft limit to the hard
 * one by then, so the soft one is all there is. `undefined`: not said, or without limit.
 */
export function readDescriptorLimit(limits: string): number | undefined {
  const soft = /^Max open files\s+(\d+)\s/m.exec(limits)?.[1]
  return soft === undefined ? undefined : Number(soft)
}
