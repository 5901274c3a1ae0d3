import { type Clock, type Duration, hours, minutes } from '../kernel/index.ts'
import type { LifecycleDeps } from './ports.ts'

/**
 * Whether our clock can be believed: by what CAs say. What cannot be undone MUST wait until it is
 * `right`; `unknown` while none has said in the life of this process.
 */
export interface ClockWitness {
  /** What is known without asking. Follows our clock when it is set. */
  verdict(): ClockWord
  /**
   * The same, after asking the CAs unless one has agreed some minutes ago: at most once a minute,
   * however many want to know.
   */
  ask(): Promise<ClockWord>
  /**
   * For what can be undone: not of a clock that a CA contradicts; but where no CA could be asked for
   * hours, ours is as good as any.
   */
  believes(word?: ClockWord): boolean
}

export type ClockWord = 'right' | 'wrong' | 'unknown'

/** CAs date certificates back by an hour, for clocks that are slow: what is less does no harm. */
const SKEW_MAX = hours(1)
/** A machine that slept does not count the time, and so would not see by itself that it is late. */
const WORD_LASTS: Duration = minutes(10)
/** A CA that is away is not asked for each host. */
const ASKED_EVERY: Duration = minutes(1)
const SILENCE_MAX: Duration = hours(6)
/** A CA that takes longer is away. */
const ASKING_MS_MAX = 5_000

export function createClockWitness({
  issuer,
  clock,
}: {
  readonly issuer: Pick<LifecycleDeps['issuer'], 'clockSkew' | 'checkHealth'>
  readonly clock: Pick<Clock, 'monotonicMs'>
}): ClockWitness {
  const startedMs = clock.monotonicMs()
  let askedMs: number | undefined
  let saidMs: number | undefined
  let asking: Promise<void> | undefined

  const verdict = (): ClockWord => {
    const skew = issuer.clockSkew()
    if (skew === undefined) return 'unknown'
    saidMs ??= clock.monotonicMs()
    return Math.abs(skew) > SKEW_MAX ? 'wrong' : 'right'
  }
  const isOlder = (ms: number | undefined, than: Duration): boolean =>
    ms === undefined || clock.monotonicMs() - ms >= than

  const askCas = async (): Promise<void> => {
    askedMs = clock.monotonicMs()
    const limit = AbortSignal.timeout(ASKING_MS_MAX)
    try {
      const answers = await issuer.checkHealth(limit)
      const hasSaid = answers.some((answer) => answer.kind === 'reachable' && answer.caDate)
      if (hasSaid) saidMs = clock.monotonicMs()
    } catch (error) {
      // It has said nothing, and that is what is known then.
      if (error !== limit.reason) throw error
    }
  }
  return {
    verdict,
    ask: async () => {
      const known = verdict()
      if (known === 'right' && !isOlder(saidMs, WORD_LASTS)) return known
      if (isOlder(askedMs, ASKED_EVERY)) {
        asking ??= askCas().finally(() => {
          asking = undefined
        })
      }
      await asking
      return verdict()
    },
    believes: (word = verdict()) =>
      word === 'right' || (word === 'unknown' && isOlder(startedMs, SILENCE_MAX)),
  }
}
