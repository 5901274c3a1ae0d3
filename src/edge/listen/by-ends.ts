import type { Socket } from 'node:net'
import type { Random } from '../../kernel/index.ts'

/**
 * What belongs to a connection, found by its two ends: a TLS session does not tell which socket it
 * is on. Not a `Map`, for the reason that `Places` gives.
 */
export interface ByEnds<One> {
  /** Returns how it is taken out; to do that again changes nothing. */
  put(socket: Socket, one: One): () => void
  get(socket: Socket): One | undefined
}

/** 16,384 connections fill each with four: which ones, no visitor can choose. */
const BUCKETS = 4096

interface Entry<One> {
  readonly ends: string
  readonly one: One
}

export function createByEnds<One>({ random }: { readonly random: Random }): ByEnds<One> {
  const seed = random.bytes(4).readInt32BE()
  const buckets: (readonly Entry<One>[])[] = Array.from({ length: BUCKETS }, () => NOBODY)
  const entriesIn = (bucket: number): readonly Entry<One>[] => buckets[bucket] ?? NOBODY
  return {
    put: (socket, one) => {
      const entry = { ends: endsOf(socket), one }
      const bucket = hashOf(entry.ends, seed) % BUCKETS
      buckets[bucket] = [...entriesIn(bucket), entry]
      return () => {
        const others = entriesIn(bucket).filter((each) => each !== entry)
        buckets[bucket] = others.length === 0 ? NOBODY : others
      }
    },
    get: (socket) => {
      const ends = endsOf(socket)
      return entriesIn(hashOf(ends, seed) % BUCKETS).findLast((entry) => entry.ends === ends)?.one
    },
  }
}

const NOBODY: readonly never[] = []

function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
}

/** FNV-1a in its rounds, from a beginning that nobody knows outside. */
function hashOf(text: string, seed: number): number {
  let hash = seed
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  }
  return (hash ^ (hash >>> 15)) >>> 0
}
