import { describe, expect, it } from 'vitest'
import { interleave, medianOf, pairedRatio, sum } from '../../../bench/edge/statistics.ts'
import { printTable } from '../../../bench/support/tables.ts'

describe('the figures of a bench', () => {
  it('are ratios of the same round, so that a slow round weighs on both sides', () => {
    expect(pairedRatio([20, 2, 20], [10, 1, 10])).toBe(2)
  })

  it('leave out a round that the other side has not had', () => {
    expect(pairedRatio([20, 30], [10])).toBe(2)
    expect(pairedRatio([20], [0])).toBeNaN()
  })

  it('are medians, so that one disturbed round changes nothing', () => {
    expect(medianOf([{ ms: 3 }, { ms: 900 }, { ms: 1 }], ({ ms }) => ms)).toBe(3)
    expect(sum([])).toBe(0)
  })

  it('come from rounds that go there and back', async () => {
    const order: string[] = []
    await interleave(['a', 'b', 'c'], 2, async (name, round) => {
      order.push(`${name}${round}`)
    })
    expect(order).toEqual(['a0', 'b0', 'c0', 'c1', 'b1', 'a1'])
  })

  it('are shown in columns, numbers to the right', () => {
    const text = printTable({
      ...{ title: 'Speed', columns: ['who', 'req/s'], notes: ['More is better.'] },
      rows: [
        ['nginx', '30305'],
        ['us', '9'],
      ],
    })
    expect(text.split('\n')).toEqual([
      ...['', 'Speed', '  who    req/s', '  ─────  ─────', '  nginx  30305', '  us         9'],
      ...['  More is better.', ''],
    ])
  })
})
