import { expect, it } from 'vitest'
import { pruneCertificates } from '../../../src/app/upkeep.ts'
import { hours, minutes } from '../../../src/kernel/index.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

it('removes nothing until what the last server left lying was found', async () => {
  const clock = createFakeClock()
  let rounds = 0
  const told: unknown[] = []
  await using _loop = pruneCertificates({
    clock,
    record: { backgroundFailed: (facts) => void told.push(facts) },
    certs: {
      prune: async () => {
        rounds += 1
        return { removed: rounds, orphaned: 0 }
      },
    },
    certsRecord: { certificatesPruned: (facts) => void told.push(facts) },
  })
  await clock.advance(minutes(59))
  expect(rounds).toBe(0)
  await clock.advance(hours(2))
  expect(rounds).toBe(2)
  expect(told).toEqual([
    { removed: 1, orphaned: 0 },
    { removed: 2, orphaned: 0 },
  ])
})
