import { type Clock, createAgingMap, createRecentKeys, seconds, within } from '../kernel/index.ts'
import type { HotPaths } from '../store/index.ts'
import type { HostsRecord } from '../telemetry/index.ts'

/** What the store said about single hostnames, remembered until it may have changed. */
export interface MembershipAnswers {
  /**
   * Links that were sent keep working without the store: where it fails or takes long the answer is
   * yes, since whoever is asked about here has passed the fingerprint.
   */
  isHost(hostname: string): boolean | Promise<boolean>
  /** The host has changed: what was or is being read about it is old. */
  forget(hostname: string): void
  clear(): void
}

export interface MembershipAnswersDeps {
  readonly hot: Pick<HotPaths, 'hasHost'>
  readonly clock: Pick<Clock, 'monotonicMs' | 'sleep'>
  readonly record: Pick<HostsRecord, 'membershipUnreadable'>
}

/** Answers kept per worker: 50,000 names of 30 characters are some 10 MB. */
const KNOWN_MAX = 50_000
/** Strangers that look like hosts by chance, and retired hosts that are still asked for. */
const UNKNOWN_MAX = 10_000
/** A query takes 1 ms. A visitor waits so long for a store that is slow, and no longer. */
const PATIENCE_MS = 300
/** How long a store that failed is not asked about the same host again. */
const RETRY_AFTER = seconds(3)

export function createMembershipAnswers(deps: MembershipAnswersDeps): MembershipAnswers {
  return new Answers(deps)
}

interface Reading {
  readonly answer: Promise<boolean>
  /** Somebody has waited for it long enough. */
  isLate: boolean
}

class Answers implements MembershipAnswers {
  readonly #deps
  readonly #known = createRecentKeys<string>(KNOWN_MAX)
  readonly #unknown = createRecentKeys<string>(UNKNOWN_MAX)
  /** Hosts about which the store failed, and until when it is not asked again (monotonic). */
  readonly #failed = createAgingMap<string, number>()
  /** Reads under way. One that is gone from here when it ends has been overtaken by a change. */
  readonly #readings = new Map<string, Reading>()

  constructor(deps: MembershipAnswersDeps) {
    this.#deps = deps
  }

  isHost(hostname: string): boolean | Promise<boolean> {
    if (this.#known.has(hostname)) return true
    if (this.#unknown.has(hostname)) return false
    if (this.#hasJustFailed(hostname)) return true
    const reading = this.#readings.get(hostname) ?? this.#read(hostname)
    return reading.isLate || this.#await(reading)
  }

  forget(hostname: string): void {
    for (const names of [this.#known, this.#unknown, this.#failed, this.#readings]) {
      names.delete(hostname)
    }
  }

  clear(): void {
    for (const names of [this.#known, this.#unknown, this.#failed, this.#readings]) names.clear()
  }

  async #await(reading: Reading): Promise<boolean> {
    const outcome = await within(reading.answer, PATIENCE_MS, this.#deps.clock)
    if (outcome.kind === 'in-time') return outcome.value
    reading.isLate = true
    return true
  }

  #read(hostname: string): Reading {
    const isLatest = (): boolean => this.#readings.get(hostname) === reading
    const ask = async (): Promise<boolean> => {
      try {
        const isHost = await this.#deps.hot.hasHost(hostname)
        if (isLatest()) (isHost ? this.#known : this.#unknown).add(hostname)
        return isHost
      } catch (error) {
        if (isLatest()) this.#noteFailure(hostname)
        this.#deps.record.membershipUnreadable({ hostname, error })
        return true
      } finally {
        if (isLatest()) this.#readings.delete(hostname)
      }
    }
    const reading: Reading = { answer: ask(), isLate: false }
    this.#readings.set(hostname, reading)
    return reading
  }

  #hasJustFailed(hostname: string): boolean {
    const untilMs = this.#failed.get(hostname)
    return untilMs !== undefined && this.#deps.clock.monotonicMs() < untilMs
  }

  /** What is over goes with the next one: as many are kept as fail in three seconds. */
  #noteFailure(hostname: string): void {
    const nowMs = this.#deps.clock.monotonicMs()
    for (const [oldest, untilMs] of this.#failed.entries()) {
      if (nowMs < untilMs && this.#failed.size < UNKNOWN_MAX) break
      this.#failed.delete(oldest)
    }
    this.#failed.set(hostname, nowMs + RETRY_AFTER)
  }
}
