import { expect, it } from 'vitest'
import { workersByDefault } from '../../../src/app/fleet/worker-number.ts'

it.each([
  { cores: 2, megabytes: 24_000, workers: 2, why: 'one per core' },
  { cores: 64, megabytes: 512, workers: 3, why: 'a small container on a large machine' },
  { cores: 8, megabytes: 1024, workers: 6, why: 'what fits' },
  { cores: 4, megabytes: 100, workers: 1, why: 'somebody has to serve' },
])('starts $workers workers on $cores cores with $megabytes MB: $why', (machine) => {
  const { cores, megabytes, workers } = machine
  expect(workersByDefault({ cores, memoryBytes: megabytes * 1024 * 1024 })).toBe(workers)
})
