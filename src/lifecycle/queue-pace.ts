import { after, type Clock, type Duration, hours, milliseconds, minutes } from '../kernel/index.ts'

/** How fast the queue has been moving lately: for a guess at when somebody's turn comes. */
export interface QueuePace {
  /** Its turn has come, and it went on to a CA. */
  noteLeft(): void
  /** Roughly when the host with so many before it has its turn. */
  guess(ahead: number): Date
  readonly perHour: number
}

/** Older turns say little about what comes. */
const MEMORY: Duration = hours(1)
/** Enough for a good guess: at more turns an hour, the time they span is shorter. */
const TURNS_MAX = 1000
/** While nothing has moved yet. */
const FIRST_GUESS = minutes(30)
const GUESS_MAX = hours(24 * 7)

export function createQueuePace({ clock }: { readonly clock: Clock }): QueuePace {
  let turns: number[] = []

  const perHour = (): number => {
    const nowMs = clock.monotonicMs()
    turns = turns.filter((at) => nowMs - at < MEMORY).slice(-TURNS_MAX)
    const [first] = turns
    if (first === undefined) return 0
    return (turns.length * hours(1)) / Math.max(nowMs - first, minutes(1))
  }
  return {
    noteLeft: () => {
      turns.push(clock.monotonicMs())
    },
    guess: (ahead) => {
      const pace = perHour()
      const ms = pace === 0 ? FIRST_GUESS : ((ahead + 1) / pace) * hours(1)
      const soonest = Math.max(ms, minutes(1))
      return after(clock.now(), milliseconds(Math.min(soonest, GUESS_MAX)))
    },
    get perHour() {
      return Math.round(perHour())
    },
  }
}
