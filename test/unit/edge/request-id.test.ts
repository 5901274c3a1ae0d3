import { expect, it } from 'vitest'
import { createRequestIds } from '../../../src/edge/request/request-id.ts'
import { systemRandom } from '../../../src/kernel/index.ts'

it('makes ids that sort by time, differ, and are drawn by the hundred', () => {
  let nowMs = Date.parse('2026-11-22T12:00:00Z')
  let draws = 0
  const clock = {
    now: () => new Date(nowMs),
    monotonicMs: () => nowMs,
    sleep: () => Promise.resolve(),
  }
  const bytes = (count: number): Buffer => {
    draws += 1
    return systemRandom.bytes(count)
  }
  const nextId = createRequestIds({ clock, random: { ...systemRandom, bytes } })
  const ids = Array.from({ length: 2000 }, () => {
    nowMs += 1
    return nextId(clock.monotonicMs())
  })
  expect(new Set(ids.map((id) => id.slice(12))).size).toBe(2000)
  expect(ids).toEqual(ids.toSorted())
  expect(ids[0]).toMatch(/^[0-9a-f]{32}$/)
  expect(ids[0]?.slice(0, 12)).toBe((nowMs - 1999).toString(16).padStart(12, '0'))
  expect(draws).toBe(4)
})
