import { median } from '../support/figures.ts'

/**
 * Ratio of two quantities that were measured in the same rounds: the median of the rounds' own
 * ratios. What disturbs the machine for a while disturbs both sides of one ratio.
 */
export function pairedRatio(ours: readonly number[], theirs: readonly number[]): number {
  const ratios = ours.flatMap((value, round) => {
    const other = theirs[round]
    return other === undefined || other === 0 ? [] : [value / other]
  })
  return median(ratios)
}

/** Median of one number of several reports. */
export function medianOf<Report>(
  reports: readonly Report[],
  pick: (report: Report) => number,
): number {
  return median(reports.map(pick))
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

/**
 * Runs every contender once per round, one after the other, and turns the order around each time:
 * nobody is always the one after the hungriest.
 */
export async function interleave<Contender>(
  contenders: readonly Contender[],
  rounds: number,
  run: (contender: Contender, round: number) => Promise<void>,
): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? contenders : contenders.toReversed()
    for (const contender of order) await run(contender, round)
  }
}
