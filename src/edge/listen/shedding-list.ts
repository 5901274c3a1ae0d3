import { SHED_LOOK_MS_MIN, SWEEP_MS } from '../limits.ts'
import { type Chosen, chooseToShed, pursuitOf, type SeatFacts } from './shedding-plan.ts'

/** Whom to end when there is no room: found in one look at all, and taken as newcomers come. */
export interface SheddingList<Seat> {
  /** The next, at most `count`. They are the caller's to end, and not named again. */
  take(count: number, nowMs: number): readonly Chosen<Seat>[]
  /** What was found is old. */
  forget(): void
}

/** All that are taken. */
export interface SeatsAtHand<Seat> extends Iterable<Seat> {
  readonly size: number
  has(seat: Seat): boolean
}

/** To look at 16,384 seats and sort them takes 20 ms: too much for each batch of newcomers. */
export function createSheddingList<Seat extends SeatFacts>(
  seats: SeatsAtHand<Seat>,
): SheddingList<Seat> {
  let found: readonly Chosen<Seat>[] = []
  let next = 0
  let lookedAtMs = Number.NEGATIVE_INFINITY

  const look = (nowMs: number): void => {
    found = chooseToShed(seats, seats.size, nowMs)
    next = 0
    lookedAtMs = nowMs
  }
  /** It may have left meanwhile, or asked for something. */
  const isAsFound = ({ seat, pursuit }: Chosen<Seat>, nowMs: number): boolean =>
    seats.has(seat) && pursuitOf(seat, nowMs) === pursuit

  const takeInto = (taken: Chosen<Seat>[], count: number, nowMs: number): void => {
    while (taken.length < count) {
      const chosen = found[next]
      if (!chosen) return
      next += 1
      if (isAsFound(chosen, nowMs)) taken.push(chosen)
    }
  }
  return {
    take: (count, nowMs) => {
      if (nowMs - lookedAtMs >= SWEEP_MS) look(nowMs)
      const taken: Chosen<Seat>[] = []
      takeInto(taken, count, nowMs)
      if (taken.length === 0 && nowMs - lookedAtMs >= SHED_LOOK_MS_MIN) {
        look(nowMs)
        takeInto(taken, count, nowMs)
      }
      return taken
    },
    forget: () => {
      found = []
      next = 0
      lookedAtMs = Number.NEGATIVE_INFINITY
    },
  }
}
