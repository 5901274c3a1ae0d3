import type { StatsFs } from 'node:fs'

/** Left to the database and to certificates, which share the disk with the journal: a tenth of it… */
const RESERVE_SHARE = 0.1
/** …or 1 GB of a large one. */
const RESERVE_BYTES_MAX = 1024 ** 3

/** Would another segment take of what is left to others? */
export function isDiskShort({
  bsize,
  blocks,
  bavail,
}: Pick<StatsFs, 'bsize' | 'blocks' | 'bavail'>): boolean {
  return bavail * bsize < Math.min(blocks * bsize * RESERVE_SHARE, RESERVE_BYTES_MAX)
}
