import { describe, expect, it } from 'vitest'
import { toBars } from '../../../src/cli/output/chart.ts'

describe('a line of bars', () => {
  it.each<[string, readonly number[], string, number]>([
    ['nothing at all', [], '', 1],
    ['nothing in any hour', [0, 0], '··', 1],
    ['the least beside the most', [1, 1000, 0], '▁█·', 1],
    ['a slope', [1, 2, 3, 4, 5, 6, 7, 8], '▁▂▃▄▅▆▇█', 1],
    ['neighbours together where there are many', [1, 1, 2, 2, 0, 0, 0], '█▄·', 3],
  ])('shows %s', (_, counts, bars, perBar) => {
    expect(toBars(counts, counts.length === 7 ? 3 : 60)).toEqual({ bars, perBar })
  })

  it('is never wider than asked for', () => {
    for (const hours of [59, 60, 61, 119, 120, 672, 1008]) {
      const counts = Array.from({ length: hours }, () => 1)
      expect([...toBars(counts, 60).bars].length).toBeLessThanOrEqual(60)
    }
  })
})
