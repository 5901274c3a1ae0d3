import type { Hit } from '../hit.ts'
import type { SegmentReader } from './segment-reader.ts'

type Source = Pick<SegmentReader, 'pending' | 'moved'>

/** Hits of several writers in the order in which they happened. */
export interface MergedHits {
  readonly hits: readonly Hit[]
  /** The first `count` of them are durable elsewhere. */
  moved(count: number): void
}

/**
 * Takes the oldest of what the sources have read. Ends where one of them has nothing more pending:
 * what it reads next may be older than what the others hold.
 */
export function mergeByTime(sources: readonly Source[], countMax: number): MergedHits {
  const hits: Hit[] = []
  const origins: Source[] = []
  const used = new Map<Source, number>()
  while (hits.length < countMax) {
    const source = oldest(sources, used)
    const hit = source?.pending[used.get(source) ?? 0]
    if (!source || !hit) break
    hits.push(hit)
    origins.push(source)
    const next = (used.get(source) ?? 0) + 1
    used.set(source, next)
    if (next === source.pending.length) break
  }
  return {
    hits,
    moved: (count) => {
      const movedOf = new Map<Source, number>()
      for (const source of origins.slice(0, count)) {
        movedOf.set(source, (movedOf.get(source) ?? 0) + 1)
      }
      for (const [source, moved] of movedOf) source.moved(moved)
    },
  }
}

function oldest(sources: readonly Source[], used: ReadonlyMap<Source, number>): Source | undefined {
  let found: Source | undefined
  let foundAtMs = Number.POSITIVE_INFINITY
  for (const source of sources) {
    const atMs = source.pending[used.get(source) ?? 0]?.at.getTime() ?? Number.POSITIVE_INFINITY
    if (atMs < foundAtMs) {
      found = source
      foundAtMs = atMs
    }
  }
  return found
}
