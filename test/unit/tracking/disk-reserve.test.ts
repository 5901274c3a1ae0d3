import { expect, it } from 'vitest'
import { isDiskShort } from '../../../src/tracking/journal/disk-reserve.ts'

const MB = 1024 ** 2

it.each([
  { disk: 'small', blocks: 1000, bavail: 100, short: false },
  { disk: 'small', blocks: 1000, bavail: 99, short: true },
  { disk: 'large', blocks: 100_000, bavail: 1024, short: false },
  { disk: 'large', blocks: 100_000, bavail: 1023, short: true },
])(
  'leaves $bavail of $blocks MB of a $disk disk to others: $short',
  ({ blocks, bavail, short }) => {
    expect(isDiskShort({ bsize: MB, blocks, bavail })).toBe(short)
  },
)
