import type { Socket } from 'node:net'

/**
 * What belongs to a connection, found by its two ends: a TLS session does not tell which socket it
 * is on. Not a `Map`, for the reason that `Places` gives.
 */
export interface ByEnds<One> {
  /** Returns how it is taken out; to do that again changes nothing. */
  put(socket: Socket, one: One): () => void
  get(socket: Socket): One | undefined
}

/** 16,384 connections fill each with four. */
const BUCKETS = 4096

interface Entry<One> {
  readonly ends: string
  readonly one: One
}

export function createByEnds<One>(): ByEnds<One> {
  const buckets: (readonly Entry<One>[])[] = Array.from({ length: BUCKETS }, () => NOBODY)
  const bucketOf = ({ remotePort = 0 }: Socket): number => remotePort % BUCKETS
  const entriesIn = (bucket: number): readonly Entry<One>[] => buckets[bucket] ?? NOBODY
  return {
    put: (socket, one) => {
      const bucket = bucketOf(socket)
      const entry = { ends: endsOf(socket), one }
      buckets[bucket] = [...entriesIn(bucket), entry]
      return () => {
        const others = entriesIn(bucket).filter((each) => each !== entry)
        buckets[bucket] = others.length === 0 ? NOBODY : others
      }
    },
    get: (socket) => {
      const ends = endsOf(socket)
      return entriesIn(bucketOf(socket)).findLast((entry) => entry.ends === ends)?.one
    },
  }
}

const NOBODY: readonly never[] = []

function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
}
