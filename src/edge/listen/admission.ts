import { type AgingMap, createAgingMap } from '../../kernel/index.ts'
import {
  ADDRESSES_REMEMBERED_MAX,
  CONNECTIONS_PER_ADDRESS_MAX,
  NEW_CONNECTIONS_PER_ADDRESS_BURST,
  NEW_CONNECTIONS_PER_ADDRESS_PER_SECOND,
} from '../limits.ts'
import { networkOf } from './peer-network.ts'

export type AdmissionVerdict = 'admitted' | 'address-connections' | 'address-rate'

/** What one address may hold and how fast it may come. Pure but for what it remembers. */
export interface Admission {
  /** Who is admitted counts as there until `left`. */
  judge(address: string, nowMs: number): AdmissionVerdict
  left(address: string): void
}

export interface AdmissionLimits {
  readonly open: number
  readonly perSecond: number
  readonly burst: number
  readonly remembered: number
}

const LIMITS: AdmissionLimits = {
  open: CONNECTIONS_PER_ADDRESS_MAX,
  perSecond: NEW_CONNECTIONS_PER_ADDRESS_PER_SECOND,
  burst: NEW_CONNECTIONS_PER_ADDRESS_BURST,
  remembered: ADDRESSES_REMEMBERED_MAX,
}

/** What is known of one address. */
interface Tally {
  open: number
  /**
   * A token bucket in one number (GCRA): until when the connections so far would have taken, had
   * they come evenly. In the past: the bucket is full.
   */
  paidUntilMs: number
}

export function createAdmission(limits: AdmissionLimits = LIMITS): Admission {
  const tallies = createAgingMap<string, Tally>()
  const costMs = 1000 / limits.perSecond
  const aheadMsMax = limits.burst * costMs

  /** In order of their first visit. */
  const tallyOf = (network: string): Tally => {
    const known = tallies.get(network)
    if (known) return known
    if (tallies.size >= limits.remembered) forgetOne(tallies)
    const tally = { open: 0, paidUntilMs: 0 }
    tallies.set(network, tally)
    return tally
  }

  return {
    judge: (address, nowMs) => {
      const tally = tallyOf(networkOf(address))
      if (tally.open >= limits.open) return 'address-connections'
      const paidUntilMs = Math.max(nowMs, tally.paidUntilMs) + costMs
      if (paidUntilMs - nowMs > aheadMsMax) return 'address-rate'
      tally.paidUntilMs = paidUntilMs
      tally.open += 1
      return 'admitted'
    },
    left: (address) => {
      const tally = tallies.get(networkOf(address))
      // Forgotten meanwhile, and perhaps met anew: then its count began without this one.
      if (tally && tally.open > 0) tally.open -= 1
    },
  }
}

/** How many of the oldest are looked at for one that is not there any more. */
const LOOKED_AT_MAX = 32

/** Forgets whoever came first and has left; if nobody of those has, the first all the same. */
function forgetOne(tallies: AgingMap<string, Tally>): void {
  let oldest: string | undefined
  let looked = 0
  for (const [network, { open }] of tallies.entries()) {
    oldest ??= network
    if (open === 0) {
      tallies.delete(network)
      return
    }
    looked += 1
    if (looked >= LOOKED_AT_MAX) break
  }
  if (oldest !== undefined) tallies.delete(oldest)
}
