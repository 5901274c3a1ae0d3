import { describe, expect, it } from 'vitest'
import { toProgressBar } from '../../../src/cli/output/progress-bar.ts'

describe('a progress bar', () => {
  it.each([
    [0, 5000, '[░░░░░░░░░░░░░░░░░░░░░░░░]   0 %  0 of 5,000'],
    [2500, 5000, '[████████████░░░░░░░░░░░░]  50 %  2,500 of 5,000'],
    [999_999, 1_000_000, '[███████████████████████░]  99 %  999,999 of 1,000,000'],
    [5, 5, '[████████████████████████] 100 %  5 of 5'],
    [0, 0, '[████████████████████████] 100 %  0 of 0'],
    [7, 5, '[████████████████████████] 100 %  7 of 5'],
  ])('%i of %i', (done, total, bar) => {
    expect(toProgressBar({ done, total })).toBe(bar)
  })
})
