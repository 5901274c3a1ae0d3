const BARS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const

/**
 * Counts as a line of bars, at most `width` of them: each stands for as many neighbours as it must,
 * and is as high as their sum. Nothing at all is a dot, so that the least is still seen.
 */
export function toBars(
  counts: readonly number[],
  width: number,
): { readonly bars: string; readonly perBar: number } {
  const perBar = Math.max(1, Math.ceil(counts.length / width))
  const sums: number[] = []
  for (let start = 0; start < counts.length; start += perBar) {
    sums.push(counts.slice(start, start + perBar).reduce((sum, count) => sum + count, 0))
  }
  const highest = Math.max(1, ...sums)
  const bars = sums.map((sum) =>
    sum === 0 ? '·' : (BARS[Math.ceil((sum / highest) * BARS.length) - 1] ?? '█'),
  )
  return { bars: bars.join(''), perBar }
}
