/**
 * The place of an account's next host in the queue: start-time fair queueing (Goyal, Vin, Cheng
 * 1996) with equal shares, in whole numbers. Hosts leave by rank, the smallest first, so that
 * accounts take turns however many hosts each of them brings; whoever was idle comes in at the
 * front, and gains nothing by having waited.
 */
export interface FairShare {
  /** The smallest rank that waits; where none does, the largest that was ever given. */
  readonly front: number | undefined
  /** The rank of the account's host that came last. */
  readonly last: number | undefined
}

export function fairRank({ front, last }: FairShare): number {
  return Math.max(front ?? 0, last === undefined ? 0 : last + 1)
}
