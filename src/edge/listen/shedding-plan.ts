import { SILENT_MS_MIN, STALLED_MS_MIN } from '../limits.ts'

/**
 * What a connection is doing, in the order in which they are ended when there is no room:
 * `idle` waits for its visitor's next request, and loses nothing that cannot be had again; `silent`
 * has not asked for anything yet, though it had the time; `stalled` does not read its answer.
 * Those that are `served`, or have only just come, are never ended for others.
 */
export type Pursuit = 'idle' | 'silent' | 'stalled' | 'new' | 'served'

/** What is known of a connection without asking whoever reads it. */
export interface SeatFacts {
  /** When it came. */
  readonly sinceMs: number
  readonly lastActiveMs: number
  readonly hasAsked: boolean
  readonly isServed: boolean
  /** Since when its answer waits for it to read; `undefined`: it does not wait. */
  readonly stalledSinceMs: number | undefined
}

export function pursuitOf(facts: SeatFacts, nowMs: number): Pursuit {
  const { stalledSinceMs } = facts
  if (stalledSinceMs !== undefined && nowMs - stalledSinceMs >= STALLED_MS_MIN) return 'stalled'
  if (facts.isServed) return 'served'
  if (facts.hasAsked) return 'idle'
  return nowMs - facts.sinceMs >= SILENT_MS_MIN ? 'silent' : 'new'
}

export interface Chosen<Seat> {
  readonly seat: Seat
  readonly pursuit: 'idle' | 'silent' | 'stalled'
}

/** At most `count` of those that may be ended, the ones that lose least and have rested longest first. */
export function chooseToShed<Seat extends SeatFacts>(
  seats: Iterable<Seat>,
  count: number,
  nowMs: number,
): readonly Chosen<Seat>[] {
  const idle: Chosen<Seat>[] = []
  const silent: Chosen<Seat>[] = []
  const stalled: Chosen<Seat>[] = []
  for (const seat of seats) {
    const pursuit = pursuitOf(seat, nowMs)
    if (pursuit === 'idle') idle.push({ seat, pursuit })
    if (pursuit === 'silent') silent.push({ seat, pursuit })
    if (pursuit === 'stalled') stalled.push({ seat, pursuit })
  }
  return [idle, silent, stalled].flatMap((kind) => kind.sort(byRest)).slice(0, count)
}

function byRest<Seat extends SeatFacts>(one: Chosen<Seat>, other: Chosen<Seat>): number {
  return one.seat.lastActiveMs - other.seat.lastActiveMs
}
