import { expect, it } from 'vitest'
import { systemRandom } from '../../../src/kernel/index.ts'

it('gives as many bytes as were asked for, and never the same ones twice', () => {
  const drawn = Array.from({ length: 2000 }, (_, index) => systemRandom.bytes(8 + (index % 12)))
  expect(drawn.every(({ length }, index) => length === 8 + (index % 12))).toBe(true)
  expect(new Set(drawn.map((bytes) => bytes.toString('hex'))).size).toBe(2000)
})

it('leaves what it gave away to its owner', () => {
  const first = systemRandom.bytes(16)
  const before = first.toString('hex')
  for (let count = 0; count < 600; count += 1) systemRandom.bytes(16).fill(0)
  expect(first.toString('hex')).toBe(before)
})

it('draws fractions all over', () => {
  const fractions = Array.from({ length: 2000 }, () => systemRandom.fraction())
  expect(fractions.every((one) => one >= 0 && one < 1)).toBe(true)
  const mean = fractions.reduce((sum, one) => sum + one, 0) / 2000
  expect(Math.abs(mean - 0.5)).toBeLessThan(0.05)
})
